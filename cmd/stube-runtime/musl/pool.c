/* cmd/stube-runtime/musl/pool.c: memory for libseccomp, whose calls of malloc(3) and its like are led here.
 *
 * It takes and returns tens of thousands of small pieces while it compiles one filter, for which musl asks the
 * kernel again and again. Pieces go back to a list of their size. One thread; nothing is returned to the system,
 * since a command compiles once. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

void *pool_malloc(size_t size);
void *pool_calloc(size_t count, size_t size);
void *pool_realloc(void *piece, size_t size);
char *pool_strdup(const char *text);
void pool_free(void *piece);

enum { UNIT = 16, CLASSES = 64, CHUNK = 64 * 1024 };

/* In front of each piece. */
union head {
	size_t size; /* rounded up; above the classes it is malloc's own */
	union head *next;
	_Alignas(UNIT) char fill[UNIT];
};

static union head *lists[CLASSES + 1];
static char *chunk;
static size_t left;

static union head *new_piece(size_t whole)
{
	if (whole > left) {
		chunk = malloc(CHUNK);
		left = chunk ? CHUNK : 0;
	}
	if (whole > left)
		return NULL;
	union head *h = (union head *)chunk;
	chunk += whole;
	left -= whole;
	return h;
}

void *pool_malloc(size_t size)
{
	size_t units = size / UNIT + 1;
	union head *h;

	if (size > SIZE_MAX - 4 * UNIT)
		return NULL;
	if (units > CLASSES) {
		/* It grows programs by one instruction at a time: room for twice as many. */
		while (units & (units - 1))
			units += units & -units;
		h = malloc((units + 1) * UNIT);
	} else if (lists[units]) {
		h = lists[units];
		lists[units] = h[1].next;
	} else {
		h = new_piece((units + 1) * UNIT);
	}
	if (!h)
		return NULL;
	h->size = units * UNIT;
	return h + 1;
}

void pool_free(void *piece)
{
	union head *h = piece;

	if (!piece)
		return;
	h--;
	size_t units = h->size / UNIT;
	if (units > CLASSES) {
		free(h);
		return;
	}
	h[1].next = lists[units];
	lists[units] = h;
}

void *pool_calloc(size_t count, size_t size)
{
	size_t bytes;
	void *piece = __builtin_mul_overflow(count, size, &bytes) ? NULL : pool_malloc(bytes);

	return piece ? memset(piece, 0, bytes) : NULL;
}

void *pool_realloc(void *piece, size_t size)
{
	size_t before = piece ? ((union head *)piece - 1)->size : 0;

	if (piece && size < before)
		return piece;
	void *bigger = pool_malloc(size);
	if (!bigger)
		return NULL;
	if (piece)
		memcpy(bigger, piece, before < size ? before : size);
	pool_free(piece);
	return bigger;
}

char *pool_strdup(const char *text)
{
	size_t size = strlen(text) + 1;
	char *copy = pool_malloc(size);

	return copy ? memcpy(copy, text, size) : NULL;
}
