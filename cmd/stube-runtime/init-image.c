/* cmd/stube-runtime/init-image.c: the bytes of stube-init, embedded, so that no path can replace them. */
#include "cmd/stube-runtime/init-image.h"

__asm__(".section .rodata\n"
	".balign 16\n"
	".globl init_image_begin, init_image_end\n"
	".hidden init_image_begin, init_image_end\n"
	"init_image_begin:\n"
	".incbin \"build/bin/stube-init\"\n"
	"init_image_end:\n"
	".byte 0\n"
	".previous\n");
