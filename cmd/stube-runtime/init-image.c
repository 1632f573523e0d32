/* cmd/stube-runtime/init-image.c: the bytes of stube-init, embedded, so that no path can replace them. */
#include "cmd/stube-runtime/init-image.h"

#ifdef UNDEFENDED
#define INIT_FILE "build/undefended/bin/stube-init"
#else
#define INIT_FILE "build/bin/stube-init"
#endif

__asm__(".section .rodata\n"
	".balign 16\n"
	".globl init_image, init_image_size\n"
	".hidden init_image, init_image_size\n"
	"init_image:\n"
	".incbin \"" INIT_FILE "\"\n"
	"0:\n"
	".balign 8\n"
	"init_image_size:\n"
	".quad 0b - init_image\n"
	".previous\n");
