/* base/arena.c: arenas as a list of blocks, the newest first. */
#include "base/arena.h"
#undef arena_error /* wrapped for the analyser by the header */

#include <stdalign.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/mman.h>

#ifndef MADV_POPULATE_WRITE
#define MADV_POPULATE_WRITE 23
#endif

#define BLOCK_MIN 1008 /* with its head and that of malloc(3) about a quarter of a page */

struct block {
	struct block *next;
	size_t used;
	size_t size;
	bool of_rest;
	alignas(max_align_t) unsigned char bytes[];
};

struct arena {
	struct block *blocks;
	size_t used;
	size_t ceiling;
	bool over; /* the last failure was the ceiling, not the machine's memory */
};

enum { PAGE = 4096 };

static struct block *lent; /* those that are free */
static uintptr_t lent_from, lent_to;
static uintptr_t rest; /* what lies from here to lent_to nobody has had yet */

void arena_lend(void *bytes, size_t size, size_t piece, size_t count)
{
	lent_from = (uintptr_t)bytes;
	lent_to = lent_from + size;
	rest = lent_from + piece * count;
	for (size_t i = 0; i < count; i++) {
		struct block *b = (void *)((char *)bytes + i * piece);

		b->size = piece - sizeof *b;
		b->next = lent;
		lent = b;
	}
}

static bool is_lent(const struct block *b)
{
	return (uintptr_t)b >= lent_from && (uintptr_t)b < lent_to;
}

/* For an arena that outgrows its first block. Pages come by one call instead of a fault each; kernels before
 * 5.14 refuse, then they come as usual. */
static struct block *take_of_rest(size_t size)
{
	struct block *b = (void *)rest;

	if (size > lent_to - rest || lent_to - rest - size < sizeof *b)
		return NULL;
	size_t whole = MIN((sizeof *b + size + PAGE - 1) / PAGE * PAGE, lent_to - rest);
	(void)madvise(b, whole, MADV_POPULATE_WRITE);
	rest += whole;
	b->size = whole - sizeof *b;
	b->of_rest = true;
	return b;
}

/* Zeroed for the next one. What came of the rest is not needed twice: commands are short. */
static void give_back(struct block *b)
{
	if (b->of_rest)
		return;
	memset(b->bytes, 0, b->used);
	b->used = 0;
	b->next = lent;
	lent = b;
}

static struct block *new_block(size_t size)
{
	struct block *b = take_of_rest(size);

	if (b)
		return b;
	b = calloc(1, sizeof *b + size);
	if (b)
		b->size = size;
	return b;
}

static size_t round_up(size_t size)
{
	return (size + alignof(max_align_t) - 1) / alignof(max_align_t) * alignof(max_align_t);
}

/* The arena itself stands at the begin of its first block. */
err *arena_new(size_t ceiling, struct arena **ret_arena)
{
	struct block *b = lent;

	if (b)
		lent = b->next;
	else
		b = new_block(BLOCK_MIN);
	if (!b)
		return err_oom();
	struct arena *a = (void *)b->bytes;
	b->used = round_up(sizeof *a);
	b->next = NULL;
	a->ceiling = ceiling;
	a->blocks = b;
	*ret_arena = a;
	return NULL;
}

void arena_free(struct arena *a)
{
	struct block *next;

	for (struct block *b = a ? a->blocks : NULL; b; b = next) {
		next = b->next;
		if (is_lent(b))
			give_back(b);
		else
			free(b);
	}
}

/* Blocks double with use, so a large document costs few calls of malloc(3). */
static struct block *block_for(struct arena *a, size_t size)
{
	if (a->blocks->size - a->blocks->used >= size)
		return a->blocks;
	struct block *b = new_block(MAX(MAX(size, (size_t)BLOCK_MIN), MIN(a->used, (size_t)1 << 20)));
	if (!b)
		return NULL;
	b->next = a->blocks;
	a->blocks = b;
	return b;
}

void *arena_alloc(struct arena *a, size_t size)
{
	a->over = size > a->ceiling || a->used > a->ceiling - size;
	if (a->over)
		return NULL;
	size_t padded = round_up(MAX(size, (size_t)1));
	struct block *b = block_for(a, padded);
	if (!b)
		return NULL;
	void *p = b->bytes + b->used;
	b->used += padded;
	a->used += padded;
	return p;
}

void *arena_array(struct arena *a, size_t count, size_t size)
{
	size_t bytes;

	if (__builtin_mul_overflow(count, size, &bytes)) {
		a->over = true;
		return NULL;
	}
	return arena_alloc(a, bytes);
}

char *arena_strndup(struct arena *a, const char *text, size_t len)
{
	char *copy = len < SIZE_MAX ? arena_alloc(a, len + 1) : NULL;

	if (copy)
		memcpy(copy, text, len);
	return copy;
}

char *arena_strdup(struct arena *a, const char *text)
{
	return text ? arena_strndup(a, text, strlen(text)) : NULL;
}

char *arena_printf(struct arena *a, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	int len = vsnprintf(NULL, 0, fmt, ap);
	va_end(ap);
	if (len < 0)
		return NULL;
	char *text = arena_alloc(a, (size_t)len + 1);
	if (!text)
		return NULL;
	va_start(ap, fmt);
	vsnprintf(text, (size_t)len + 1, fmt, ap);
	va_end(ap);
	return text;
}

err *arena_error(const struct arena *a)
{
	if (a->over)
		return err_new(EFBIG, "needs more than its limit of %zu bytes of memory", a->ceiling);
	return err_oom();
}

size_t arena_used(const struct arena *a)
{
	return a->used;
}
