/* cmd/stube-init/memory.c: malloc(3) for a program that executes another one in a few milliseconds: nothing is
 * given back, and what a start needs, some 10 KiB, is there already, so that the kernel is not asked. More
 * (a plan may have a megabyte) comes from it in pieces. */
#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

enum { ALIGN = 16, PIECE = 256 * 1024 };

static _Alignas(ALIGN) char first[24 * 1024];
static char *from = first;
static size_t left = sizeof first;

static void *out_of_memory(void)
{
	errno = ENOMEM;
	return NULL;
}

void *malloc(size_t size)
{
	size_t whole;

	/* In front of each: its size, for realloc(3). */
	if (__builtin_add_overflow(size, 2 * ALIGN - 1, &whole) || whole > PTRDIFF_MAX)
		return out_of_memory();
	whole -= whole % ALIGN;
	if (whole > left) {
		size_t piece = whole > PIECE ? whole : PIECE;
		void *more = mmap(NULL, piece, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

		if (more == MAP_FAILED)
			return out_of_memory();
		from = more;
		left = piece;
	}
	char *p = from;
	from += whole;
	left -= whole;
	memcpy(p, &size, sizeof size);
	return p + ALIGN;
}

/* It is zero already: nothing is handed out twice. */
void *calloc(size_t count, size_t size)
{
	size_t bytes;

	return __builtin_mul_overflow(count, size, &bytes) ? out_of_memory() : malloc(bytes);
}

void *realloc(void *p, size_t size)
{
	size_t before = 0;

	if (p)
		memcpy(&before, (char *)p - ALIGN, sizeof before);
	if (size <= before)
		return p;
	void *bigger = malloc(size);
	if (bigger && p)
		memcpy(bigger, p, before);
	return bigger;
}

void free(void *p)
{
	(void)p;
}
