/* cmd/stube-runtime/warm.c: pages that each command touches, mapped by few calls instead of a fault each.
 *
 * A fault costs ten to fifty times as much as a page of a longer range (docs/performance.md). Kernels before
 * 5.14 refuse: then the faults come as usual. */
#include <stdalign.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/mman.h>

#include "cmd/stube-runtime/runtime.h"

#ifndef MADV_POPULATE_READ
#define MADV_POPULATE_READ 22
#endif
#ifndef MADV_POPULATE_WRITE
#define MADV_POPULATE_WRITE 23
#endif

enum { PAGE = 4096, STACK = 32 * 1024, PIECE = 24 * 1024, PIECES = 3, REST = 192 * 1024 };

/* Set by the linker: the image's begin, and the end of what the file holds. */
extern char __executable_start[], edata[];

static void populate(uintptr_t from, uintptr_t to, int advice)
{
	from &= ~(uintptr_t)(PAGE - 1);
	to = (to + PAGE - 1) & ~(uintptr_t)(PAGE - 1);
	(void)madvise((void *)from, to - from, advice);
}

void warm(void)
{
	/* For a command's arena, for one or two below it, which are seldom needed, and for a document that is
	 * larger than usual: that with the seccomp profile of an engine takes half of the rest. */
	static alignas(PAGE) char memory[PIECES * PIECE + REST];
	uintptr_t here = (uintptr_t)__builtin_frame_address(0);

	populate(here - STACK, here, MADV_POPULATE_WRITE);
	populate((uintptr_t)memory + (PIECES - 1) * PIECE, (uintptr_t)memory + PIECES * PIECE,
		 MADV_POPULATE_WRITE);
	populate((uintptr_t)__executable_start, (uintptr_t)edata, MADV_POPULATE_READ);
	arena_lend(memory, sizeof memory, PIECE, PIECES); /* the last piece is the first to go */
}
