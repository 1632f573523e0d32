/* cmd/stube-runtime/init-image.h: the bytes of stube-init. */
#pragma once

extern const char init_image_begin[], init_image_end[];
