/* A camera frame to the input tensor: the same integers as Resizer.kt and YuvLines.kt, which are the reference. */
#ifndef SAMESIGHT_RESIZE_H
#define SAMESIGHT_RESIZE_H

#include <stddef.h>
#include <stdint.h>

/* Sample s of line l is data[l * between + s * along]. */
typedef struct {
    const uint8_t *data;
    ptrdiff_t between;
    ptrdiff_t along;
} Plane;

/* Scaled pixel i is made of source pixels starts[i] .. stops[i] - 1, with the weights taps[i * stride ...]. */
typedef struct {
    int count;
    int stride;
    const int32_t *starts;
    const int32_t *stops;
    const int32_t *taps;
} Weights;

enum { RGB, BGR, GREY };

/* Lines of the frame are its columns or its rows; two lines, and two pixels of a line, share a chroma sample. */
typedef struct {
    Plane y, u, v;
    int lines;
    int backwards;    /* the first line of the upright image is the last one here */
    int first;        /* the first pixel of every line that matters, an even one */
    int length;       /* how many pixels of a line matter */
    Weights across;   /* of lines */
    Weights down;     /* of pixels of a line */
    int scale, red_v, green_u, green_v, blue_u, black;
    int order;        /* RGB, BGR or GREY */
    uint8_t *output;  /* the first byte of the first scaled pixel */
    ptrdiff_t row;    /* from one scaled row to the next */
} Work;

/* How many bytes of scratch `resize` needs. */
size_t scratch_size(const Work *work);

/* Writes down.count rows of across.count scaled pixels. */
void resize(const Work *work, uint8_t *scratch);

#endif
