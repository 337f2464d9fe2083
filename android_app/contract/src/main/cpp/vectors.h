/* 32-bit integers, 16 / GROUPS at once, and 16 bytes: NEON's, SSE's or AVX's, each function one or a few instructions. */
#ifndef SAMESIGHT_VECTORS_H
#define SAMESIGHT_VECTORS_H

#include <stdint.h>
#include <string.h>

#if defined(__ARM_NEON)
#include <arm_neon.h>
#define GROUPS 4
typedef int32x4_t Ints;
typedef uint8x16_t Bytes;

static inline Ints ints(int32_t value) { return vdupq_n_s32(value); }
static inline Ints add(Ints a, Ints b) { return vaddq_s32(a, b); }
static inline Ints add_times(Ints sum, Ints a, Ints b) { return vmlaq_s32(sum, a, b); }
static inline Ints level(Ints value) { return vminq_s32(vmaxq_s32(value, ints(0)), ints(255)); }
#define SHIFT(value, bits) vshrq_n_s32(value, bits)
static inline Bytes load(const uint8_t *from) { return vld1q_u8(from); }
static inline void store(uint8_t *into, Bytes bytes) { vst1q_u8(into, bytes); }

/* Sixteen bytes as integers. */
static inline void widen(Bytes bytes, Ints into[GROUPS]) {
    uint16x8_t low = vmovl_u8(vget_low_u8(bytes)), high = vmovl_u8(vget_high_u8(bytes));
    into[0] = vreinterpretq_s32_u32(vmovl_u16(vget_low_u16(low)));
    into[1] = vreinterpretq_s32_u32(vmovl_u16(vget_high_u16(low)));
    into[2] = vreinterpretq_s32_u32(vmovl_u16(vget_low_u16(high)));
    into[3] = vreinterpretq_s32_u32(vmovl_u16(vget_high_u16(high)));
}

/* The same back, limited to 0 .. 255. */
static inline Bytes limit(const Ints from[GROUPS]) {
    int16x8_t low = vcombine_s16(vqmovn_s32(from[0]), vqmovn_s32(from[1]));
    int16x8_t high = vcombine_s16(vqmovn_s32(from[2]), vqmovn_s32(from[3]));
    return vcombine_u8(vqmovun_s16(low), vqmovun_s16(high));
}

static inline Bytes zip_low(Bytes a, Bytes b) { return vzipq_u8(a, b).val[0]; }
static inline Bytes zip_high(Bytes a, Bytes b) { return vzipq_u8(a, b).val[1]; }

#elif defined(__AVX2__)
#include <immintrin.h>
#define GROUPS 2
typedef __m256i Ints;
typedef __m128i Bytes;

static inline Ints ints(int32_t value) { return _mm256_set1_epi32(value); }
static inline Ints add(Ints a, Ints b) { return _mm256_add_epi32(a, b); }
static inline Ints add_times(Ints sum, Ints a, Ints b) { return _mm256_add_epi32(sum, _mm256_mullo_epi32(a, b)); }
static inline Ints level(Ints value) { return _mm256_min_epi32(_mm256_max_epi32(value, _mm256_setzero_si256()), ints(255)); }
#define SHIFT(value, bits) _mm256_srai_epi32(value, bits)
static inline Bytes load(const uint8_t *from) { return _mm_loadu_si128((const __m128i *)from); }
static inline void store(uint8_t *into, Bytes bytes) { _mm_storeu_si128((__m128i *)into, bytes); }

static inline void widen(Bytes bytes, Ints into[GROUPS]) {
    into[0] = _mm256_cvtepu8_epi32(bytes);
    into[1] = _mm256_cvtepu8_epi32(_mm_srli_si128(bytes, 8));
}

static inline Bytes limit(const Ints from[GROUPS]) {
    /* Packed half by half: 0-3, 8-11, 4-7, 12-15. */
    __m256i words = _mm256_permute4x64_epi64(_mm256_packs_epi32(from[0], from[1]), 0xd8);
    return _mm_packus_epi16(_mm256_castsi256_si128(words), _mm256_extracti128_si256(words, 1));
}

static inline Bytes zip_low(Bytes a, Bytes b) { return _mm_unpacklo_epi8(a, b); }
static inline Bytes zip_high(Bytes a, Bytes b) { return _mm_unpackhi_epi8(a, b); }

#elif defined(__SSE4_1__)
#include <smmintrin.h>
#define GROUPS 4
typedef __m128i Ints;
typedef __m128i Bytes;

static inline Ints ints(int32_t value) { return _mm_set1_epi32(value); }
static inline Ints add(Ints a, Ints b) { return _mm_add_epi32(a, b); }
static inline Ints add_times(Ints sum, Ints a, Ints b) { return _mm_add_epi32(sum, _mm_mullo_epi32(a, b)); }
static inline Ints level(Ints value) { return _mm_min_epi32(_mm_max_epi32(value, _mm_setzero_si128()), ints(255)); }
#define SHIFT(value, bits) _mm_srai_epi32(value, bits)
static inline Bytes load(const uint8_t *from) { return _mm_loadu_si128((const __m128i *)from); }
static inline void store(uint8_t *into, Bytes bytes) { _mm_storeu_si128((__m128i *)into, bytes); }

static inline void widen(Bytes bytes, Ints into[GROUPS]) {
    into[0] = _mm_cvtepu8_epi32(bytes);
    into[1] = _mm_cvtepu8_epi32(_mm_srli_si128(bytes, 4));
    into[2] = _mm_cvtepu8_epi32(_mm_srli_si128(bytes, 8));
    into[3] = _mm_cvtepu8_epi32(_mm_srli_si128(bytes, 12));
}

static inline Bytes limit(const Ints from[GROUPS]) {
    return _mm_packus_epi16(_mm_packs_epi32(from[0], from[1]), _mm_packs_epi32(from[2], from[3]));
}

static inline Bytes zip_low(Bytes a, Bytes b) { return _mm_unpacklo_epi8(a, b); }
static inline Bytes zip_high(Bytes a, Bytes b) { return _mm_unpackhi_epi8(a, b); }

#else
#error "built for processors with NEON or SSE 4.1; without this library the app computes in Kotlin"
#endif

#endif
