#include "resize.h"

#include "vectors.h"

/*
 * The first pass goes through strips of LANES pixels of all lines, the second along rows of the result; every loop over
 * lanes is one or a few instructions.
 */

#define LANES 16
#define CHROMA_ROUND (1 << 15)
#define PRECISION 22
#define HALF (1 << (PRECISION - 1))

/* 16 rows of 16 bytes as 16 columns. */
static inline void transpose(Bytes rows[16]) {
    for (int round = 0; round < 4; round++) {
        Bytes next[16];
        for (int i = 0; i < 8; i++) {
            next[2 * i] = zip_low(rows[i], rows[i + 8]);
            next[2 * i + 1] = zip_high(rows[i], rows[i + 8]);
        }
        memcpy(rows, next, sizeof next);
    }
}

/* 16 lines from `line` on, LANES samples each from `sample` on, of which `lanes` are there; the others repeat the last. */
static void read_luma(const Plane *plane, int line, int lines, int sample, int lanes, uint8_t into[16][LANES]) {
    const uint8_t *from = plane->data + line * plane->between + sample * plane->along;
    if (lanes == LANES && plane->along == 1) {
        for (int i = 0; i < lines; i++) memcpy(into[i], from + i * plane->between, LANES);
        return;
    }
    if (lanes == LANES && lines == 16 && plane->between == 1) {
        Bytes rows[16];
        for (int i = 0; i < 16; i++) memcpy(&rows[i], from + i * plane->along, 16);
        transpose(rows);
        memcpy(into, rows, sizeof rows);
        return;
    }
    for (int i = 0; i < lines; i++) {
        for (int lane = 0; lane < LANES; lane++) {
            int there = lane < lanes ? lane : lanes - 1;
            into[i][lane] = from[i * plane->between + there * plane->along];
        }
    }
}

/* The same of chroma, of which each sample is of two pixels. */
static void read_chroma(const Plane *plane, int line, int lines, int sample, int lanes, uint8_t into[8][LANES]) {
    const uint8_t *from = plane->data + line * plane->between + sample * plane->along;
    int samples = (lanes + 1) / 2;
    for (int i = 0; i < lines; i++) {
        const uint8_t *at = from + i * plane->between;
        for (int k = 0; k < LANES / 2; k++) {
            uint8_t byte = at[(k < samples ? k : samples - 1) * plane->along];
            into[i][2 * k] = byte;
            into[i][2 * k + 1] = byte;
        }
    }
}

/* What chroma adds to red, green and blue, times 65536, rounded. */
static inline void chroma_terms(const Work *work, const uint8_t *u, const uint8_t *v, Ints terms[3][GROUPS]) {
    Ints us[GROUPS], vs[GROUPS];
    widen(load(u), us);
    widen(load(v), vs);
    Ints red = ints(-128 * work->red_v), green = ints(128 * (work->green_u + work->green_v));
    Ints blue = ints(-128 * work->blue_u);
    for (int i = 0; i < GROUPS; i++) {
        terms[0][i] = add_times(red, vs[i], ints(work->red_v));
        terms[1][i] = add_times(add_times(green, us[i], ints(-work->green_u)), vs[i], ints(-work->green_v));
        terms[2][i] = add_times(blue, us[i], ints(work->blue_u));
    }
}

static inline void levels_of(const Work *work, const uint8_t *luma, Ints terms[3][GROUPS], Ints levels[3][GROUPS]) {
    Ints bright[GROUPS];
    widen(load(luma), bright);
    Ints round = ints(CHROMA_ROUND - work->black * work->scale), scale = ints(work->scale);
    for (int i = 0; i < GROUPS; i++) bright[i] = add_times(round, bright[i], scale);
    for (int c = 0; c < 3; c++) {
        for (int i = 0; i < GROUPS; i++) levels[c][i] = level(SHIFT(add(bright[i], terms[c][i]), 16));
    }
}

/* One scaled pixel of every lane and channel, of the lines that `ring` has. */
static inline void weigh(Ints (*ring)[3][GROUPS], int mask, int start, int stop, const int32_t *taps, uint8_t into[3][LANES]) {
    Ints sums[3][GROUPS];
    for (int c = 0; c < 3; c++) {
        for (int i = 0; i < GROUPS; i++) sums[c][i] = ints(HALF);
    }
    for (int x = start; x < stop; x++) {
        Ints tap = ints(taps[x - start]);
        for (int c = 0; c < 3; c++) {
            for (int i = 0; i < GROUPS; i++) sums[c][i] = add_times(sums[c][i], ring[x & mask][c][i], tap);
        }
    }
    for (int c = 0; c < 3; c++) {
        for (int i = 0; i < GROUPS; i++) sums[c][i] = SHIFT(sums[c][i], PRECISION);
        store(into[c], limit(sums[c]));
    }
}

/* The first pass of the pixels at .. at + lanes - 1 of all lines. */
static void scale_strip(const Work *work, int at, int lanes, Ints (*ring)[3][GROUPS], int mask, uint8_t (*tile)[3][LANES]) {
    const Weights *across = &work->across;
    uint8_t luma[16][LANES], u[8][LANES], v[8][LANES];
    Ints terms[3][GROUPS] = {{ints(0)}};
    int sample = work->first + at, block = -1, pair = -1, x = across->starts[0];
    for (int k = 0; k < across->count; k++) {
        for (; x < across->stops[k]; x++) {
            int line = work->backwards ? work->lines - 1 - x : x;
            if (line >> 4 != block) {
                block = line >> 4;
                int left = work->lines - (block << 4), lines = left < 16 ? left : 16;
                read_luma(&work->y, block << 4, lines, sample, lanes, luma);
                read_chroma(&work->u, block << 3, (lines + 1) / 2, sample / 2, lanes, u);
                read_chroma(&work->v, block << 3, (lines + 1) / 2, sample / 2, lanes, v);
            }
            if (line >> 1 != pair) {
                pair = line >> 1;
                chroma_terms(work, u[pair & 7], v[pair & 7], terms);
            }
            levels_of(work, luma[line & 15], terms, ring[x & mask]);
        }
        weigh(ring, mask, across->starts[k], across->stops[k], across->taps + (size_t)k * across->stride, tile[k]);
    }
}

/* Puts a strip's finished pixels into rows of the scaled width, one per channel and pixel of a line. */
static void lay_rows(uint8_t (*tile)[3][LANES], int count, int padded, int lanes, int at, int length, uint8_t *rows) {
    for (int c = 0; c < 3; c++) {
        uint8_t *channel = rows + (size_t)c * length * padded + (size_t)at * padded;
        for (int i = 0; i < count; i += 16) {
            Bytes block[16];
            for (int k = 0; k < 16; k++) memcpy(&block[k], tile[i + k][c], 16);
            transpose(block);
            for (int lane = 0; lane < lanes; lane++) memcpy(channel + (size_t)lane * padded + i, &block[lane], 16);
        }
    }
}

/* One scaled row of one channel. */
static void scale_row(const uint8_t *rows, int padded, const int32_t *taps, int count, uint8_t *into) {
    for (int i = 0; i < padded; i += LANES) {
        Ints sums[GROUPS], levels[GROUPS];
        for (int k = 0; k < GROUPS; k++) sums[k] = ints(HALF);
        const uint8_t *from = rows + i;
        for (int t = 0; t < count; t++, from += padded) {
            Ints tap = ints(taps[t]);
            widen(load(from), levels);
            for (int k = 0; k < GROUPS; k++) sums[k] = add_times(sums[k], levels[k], tap);
        }
        for (int k = 0; k < GROUPS; k++) sums[k] = SHIFT(sums[k], PRECISION);
        store(into + i, limit(sums));
    }
}

static void write_row(const uint8_t *red, const uint8_t *green, const uint8_t *blue, int count, int order, uint8_t *into) {
    if (order == GREY) {
        for (int i = 0; i < count; i++) {
            into[i] = (uint8_t)((19595 * red[i] + 38470 * green[i] + 7471 * blue[i] + 32768) >> 16);
        }
        return;
    }
    const uint8_t *one = order == BGR ? blue : red, *other = order == BGR ? red : blue;
    for (int i = 0; i < count; i++) {
        into[3 * i] = one[i];
        into[3 * i + 1] = green[i];
        into[3 * i + 2] = other[i];
    }
}

static size_t padded_width(const Work *work) { return (size_t)(work->across.count + LANES - 1) / LANES * LANES; }

/* Lines that are kept at once: a power of two, not fewer than those of one scaled pixel. */
static int ring_size(const Work *work) {
    int size = 1;
    while (size < work->across.stride) size *= 2;
    return size;
}

size_t scratch_size(const Work *work) {
    size_t ring = (size_t)ring_size(work) * sizeof(Ints[3][GROUPS]);
    return sizeof(Ints) + ring + 3 * padded_width(work) * ((size_t)work->length + LANES + 1);
}

void resize(const Work *work, uint8_t *scratch) {
    int count = work->across.count, padded = (int)padded_width(work), length = work->length, size = ring_size(work);
    /* Vectors are aligned to their size. */
    uintptr_t aligned = ((uintptr_t)scratch + sizeof(Ints) - 1) / sizeof(Ints) * sizeof(Ints);
    Ints(*ring)[3][GROUPS] = (Ints(*)[3][GROUPS])aligned;
    uint8_t *rows = (uint8_t *)(ring + size);
    size_t plane = (size_t)length * padded;
    uint8_t *scaled = rows + 3 * plane;
    uint8_t(*tile)[3][LANES] = (uint8_t(*)[3][LANES])(scaled + 3 * padded);
    memset(tile, 0, 3 * (size_t)LANES * padded);
    for (int at = 0; at < length; at += LANES) {
        int lanes = length - at < LANES ? length - at : LANES;
        scale_strip(work, at, lanes, ring, size - 1, tile);
        lay_rows(tile, count, padded, lanes, at, length, rows);
    }
    const Weights *down = &work->down;
    for (int j = 0; j < down->count; j++) {
        const uint8_t *from = rows + (size_t)(down->starts[j] - work->first) * padded;
        const int32_t *taps = down->taps + (size_t)j * down->stride;
        for (int c = 0; c < 3; c++) {
            scale_row(from + c * plane, padded, taps, down->stops[j] - down->starts[j], scaled + c * padded);
        }
        write_row(scaled, scaled + padded, scaled + 2 * padded, count, work->order, work->output + j * work->row);
    }
}
