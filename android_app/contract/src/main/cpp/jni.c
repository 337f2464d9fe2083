/* What `Native.kt` calls. */
#include <jni.h>

#include "resize.h"

/* The order of `numbers`, which Native.kt writes. */
enum {
    Y_OFFSET, Y_BETWEEN, Y_ALONG, U_OFFSET, U_BETWEEN, U_ALONG, V_OFFSET, V_BETWEEN, V_ALONG,
    LINES, BACKWARDS, FIRST, LENGTH, ACROSS_COUNT, ACROSS_STRIDE, DOWN_COUNT, DOWN_STRIDE,
    SCALE, RED_V, GREEN_U, GREEN_V, BLUE_U, BLACK, ORDER, ORIGIN, ROW, NUMBERS
};

JNIEXPORT jlong JNICALL Java_samesight_contract_Native_scratchSize(
    JNIEnv *env, jclass class, jint count, jint stride, jint length) {
    (void)env;
    (void)class;
    Work work = {.length = length, .across = {.count = count, .stride = stride}};
    return (jlong)scratch_size(&work);
}

/* Ranges were checked by Kotlin: the planes' by Yuv420.check, the weights' because they are of the frame's size. */
JNIEXPORT void JNICALL Java_samesight_contract_Native_resize(
    JNIEnv *env, jclass class, jbyteArray y, jbyteArray u, jbyteArray v, jintArray numbers, jintArray across_starts,
    jintArray across_stops, jintArray across_taps, jintArray down_starts, jintArray down_stops, jintArray down_taps,
    jbyteArray scratch, jbyteArray tensor) {
    (void)class;
    jint n[NUMBERS];
    (*env)->GetIntArrayRegion(env, numbers, 0, NUMBERS, n);
    if ((*env)->ExceptionCheck(env)) return;
    jarray arrays[] = {y,           u,          v,         across_starts, across_stops, across_taps,
                       down_starts, down_stops, down_taps, scratch,       tensor};
    enum { COUNT = sizeof arrays / sizeof arrays[0] };
    void *held[COUNT];
    int got = 0;
    while (got < COUNT && (held[got] = (*env)->GetPrimitiveArrayCritical(env, arrays[got], NULL)) != NULL) got++;
    if (got == COUNT) {
        Work work = {
            .y = {(const uint8_t *)held[0] + n[Y_OFFSET], n[Y_BETWEEN], n[Y_ALONG]},
            .u = {(const uint8_t *)held[1] + n[U_OFFSET], n[U_BETWEEN], n[U_ALONG]},
            .v = {(const uint8_t *)held[2] + n[V_OFFSET], n[V_BETWEEN], n[V_ALONG]},
            .lines = n[LINES],
            .backwards = n[BACKWARDS],
            .first = n[FIRST],
            .length = n[LENGTH],
            .across = {n[ACROSS_COUNT], n[ACROSS_STRIDE], held[3], held[4], held[5]},
            .down = {n[DOWN_COUNT], n[DOWN_STRIDE], held[6], held[7], held[8]},
            .scale = n[SCALE],
            .red_v = n[RED_V],
            .green_u = n[GREEN_U],
            .green_v = n[GREEN_V],
            .blue_u = n[BLUE_U],
            .black = n[BLACK],
            .order = n[ORDER],
            .output = (uint8_t *)held[10] + n[ORIGIN],
            .row = n[ROW],
        };
        resize(&work, held[9]);
    }
    /* Of what is only read nothing is copied back. */
    while (got-- > 0) {
        (*env)->ReleasePrimitiveArrayCritical(env, arrays[got], held[got], got >= 9 ? 0 : JNI_ABORT);
    }
}
