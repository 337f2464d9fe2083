// What this app calls of LiteRT's C API, as of 2.3 (litert/c in github.com/google-ai-edge/LiteRT). Other versions have
// other arguments: LiteRtCreateModelFromFile had no environment before 2.2.
#ifndef LITERT_C_H
#define LITERT_C_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef int LiteRtStatusCode;  // 0: no error
typedef struct LiteRtEnvironmentT *LiteRtEnvironmentHandle;
typedef struct LiteRtModelT *LiteRtModelHandle;
typedef struct LiteRtOptionsT *LiteRtOptionsHandle;
typedef struct LiteRtOpaqueOptionsT *LiteRtOpaqueOptionsHandle;
typedef struct LiteRtCompiledModelT *LiteRtCompiledModelHandle;
typedef struct LiteRtSignatureT *LiteRtSignatureHandle;
typedef struct LiteRtTensorT *LiteRtTensorHandle;
typedef struct LiteRtTensorBufferT *LiteRtTensorBufferHandle;
typedef struct LiteRtTensorBufferRequirementsT *LiteRtRequirementsHandle;

// The element type (1: float32, 9: int8), then its layout: a rank of 7 bits and flags, sides, strides.
typedef struct {
    int32_t element_type;
    uint32_t rank_and_flags;
    int32_t dimensions[8];
    uint32_t strides[8];
} LiteRtTensorType;

LiteRtStatusCode LiteRtCreateEnvironment(int count, const void *options, LiteRtEnvironmentHandle *environment);
void LiteRtDestroyEnvironment(LiteRtEnvironmentHandle environment);

LiteRtStatusCode LiteRtCreateModelFromFile(
    LiteRtEnvironmentHandle environment, const char *path, LiteRtModelHandle *model);
void LiteRtDestroyModel(LiteRtModelHandle model);

LiteRtStatusCode LiteRtCreateOptions(LiteRtOptionsHandle *options);
LiteRtStatusCode LiteRtSetOptionsHardwareAccelerators(LiteRtOptionsHandle options, int bits);  // CPU 1, GPU 2, NPU 4
LiteRtStatusCode LiteRtCreateOpaqueOptions(
    const char *identifier, void *payload, void (*destructor)(void *), LiteRtOpaqueOptionsHandle *options);
LiteRtStatusCode LiteRtAddOpaqueOptions(LiteRtOptionsHandle options, LiteRtOpaqueOptionsHandle opaque);
void LiteRtDestroyOptions(LiteRtOptionsHandle options);

LiteRtStatusCode LiteRtCreateCompiledModel(
    LiteRtEnvironmentHandle environment, LiteRtModelHandle model, LiteRtOptionsHandle options,
    LiteRtCompiledModelHandle *compiled);
void LiteRtDestroyCompiledModel(LiteRtCompiledModelHandle compiled);
LiteRtStatusCode LiteRtRunCompiledModel(
    LiteRtCompiledModelHandle compiled, size_t signature, size_t input_count, LiteRtTensorBufferHandle *inputs,
    size_t output_count, LiteRtTensorBufferHandle *outputs);

LiteRtStatusCode LiteRtGetNumModelSignatures(LiteRtModelHandle model, size_t *count);
LiteRtStatusCode LiteRtGetModelSignature(LiteRtModelHandle model, size_t index, LiteRtSignatureHandle *signature);
LiteRtStatusCode LiteRtGetSignatureKey(LiteRtSignatureHandle signature, const char **key);
LiteRtStatusCode LiteRtGetNumSignatureInputs(LiteRtSignatureHandle signature, size_t *count);
LiteRtStatusCode LiteRtGetNumSignatureOutputs(LiteRtSignatureHandle signature, size_t *count);
LiteRtStatusCode LiteRtGetSignatureInputName(LiteRtSignatureHandle signature, size_t index, const char **name);
LiteRtStatusCode LiteRtGetSignatureOutputName(LiteRtSignatureHandle signature, size_t index, const char **name);
LiteRtStatusCode LiteRtGetSignatureInputTensorByIndex(
    LiteRtSignatureHandle signature, size_t index, LiteRtTensorHandle *tensor);
LiteRtStatusCode LiteRtGetSignatureOutputTensorByIndex(
    LiteRtSignatureHandle signature, size_t index, LiteRtTensorHandle *tensor);
LiteRtStatusCode LiteRtGetRankedTensorType(LiteRtTensorHandle tensor, LiteRtTensorType *type);

LiteRtStatusCode LiteRtGetCompiledModelInputBufferRequirements(
    LiteRtCompiledModelHandle compiled, size_t signature, size_t index, LiteRtRequirementsHandle *requirements);
LiteRtStatusCode LiteRtGetCompiledModelOutputBufferRequirements(
    LiteRtCompiledModelHandle compiled, size_t signature, size_t index, LiteRtRequirementsHandle *requirements);
LiteRtStatusCode LiteRtCreateManagedTensorBufferFromRequirements(
    LiteRtEnvironmentHandle environment, const LiteRtTensorType *type, LiteRtRequirementsHandle requirements,
    LiteRtTensorBufferHandle *buffer);
LiteRtStatusCode LiteRtGetTensorBufferPackedSize(LiteRtTensorBufferHandle buffer, size_t *bytes);
LiteRtStatusCode LiteRtLockTensorBuffer(LiteRtTensorBufferHandle buffer, void **address, int mode);  // read 0, write 1
LiteRtStatusCode LiteRtUnlockTensorBuffer(LiteRtTensorBufferHandle buffer);
void LiteRtDestroyTensorBuffer(LiteRtTensorBufferHandle buffer);

#ifdef __cplusplus
}
#endif

#endif
