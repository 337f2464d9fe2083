#include "LiteRtC.h"

// The layout that LiteRT 2.3 has.
_Static_assert(sizeof(LiteRtTensorType) == 72, "LiteRtRankedTensorType has 72 bytes");
