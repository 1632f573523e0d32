/* cmd/stube-runtime/init-image.h: the bytes of stube-init. */
#pragma once
#include <stdint.h>

extern const char init_image[];
extern const uint64_t init_image_size;
