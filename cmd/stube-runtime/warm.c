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

enum { PAGE = 4096, STACK = 48 * 1024 };

/* Set by the linker: the image's begin, the end of what the file holds, the end of all. */
extern char __executable_start[], edata[], end[];

static void populate(uintptr_t from, uintptr_t to, int advice)
{
	from &= ~(uintptr_t)(PAGE - 1);
	to = (to + PAGE - 1) & ~(uintptr_t)(PAGE - 1);
	(void)madvise((void *)from, to - from, advice);
}

void warm(void)
{
	/* For a command's arena, and for one or two below it. */
	static alignas(max_align_t) char memory[3 * 24 * 1024];
	uintptr_t here = (uintptr_t)__builtin_frame_address(0);

	populate(here - STACK, here, MADV_POPULATE_WRITE);
	populate((uintptr_t)edata, (uintptr_t)end, MADV_POPULATE_WRITE);
	populate((uintptr_t)__executable_start, (uintptr_t)edata, MADV_POPULATE_READ);
	arena_lend(memory, sizeof memory, sizeof memory / 3);
}
