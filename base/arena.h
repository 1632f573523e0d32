/* base/arena.h: memory of one document or one operation, freed as a whole.
 *
 * An arena is born with a ceiling, so hostile input cannot take the machine's memory: an allocation
 * over it returns NULL, as out of memory does, and arena_error() tells which it was. */
#pragma once
#include <stddef.h>
#include "base/err.h"
#include "base/macro.h"

struct arena;

/* ceiling: bytes that may be handed out in all. */
err *arena_new(size_t ceiling, struct arena **ret_arena) MUST_CHECK;
void arena_free(struct arena *a);
DEFINE_CLEANUP(struct arena *, arena_free)
#define auto_arena CLEANUP(arena_free)

/* Lend zeroed static memory, for programs so short that asking the kernel for memory is a good part of what
 * they do: `count` pieces as the first block of arenas, over and over, and the rest to arenas that grow,
 * once, mapped as they take it. Once, before the first arena; not in a program with threads. bytes: whole
 * pages; piece: a multiple of what malloc(3) aligns to. */
void arena_lend(void *bytes, size_t size, size_t piece, size_t count);

/* Zeroed memory, aligned for any type; size 0 gives a valid pointer. NULL on failure. */
void *arena_alloc(struct arena *a, size_t size) MUST_CHECK;

/* count * size, checked for overflow. */
void *arena_array(struct arena *a, size_t count, size_t size) MUST_CHECK;

/* Copies; NULL on failure. arena_strdup(NULL) gives NULL. */
char *arena_strdup(struct arena *a, const char *text) MUST_CHECK;
char *arena_strndup(struct arena *a, const char *text, size_t len) MUST_CHECK;
char *arena_printf(struct arena *a, const char *fmt, ...) PRINTF(2, 3) MUST_CHECK;

/* Why the last allocation failed: EFBIG with the ceiling, or out of memory. */
err *arena_error(const struct arena *a) MUST_CHECK;

#ifdef __clang_analyzer__
#define arena_error(a) err_exists(arena_error(a))
#endif

/* Bytes handed out so far. */
size_t arena_used(const struct arena *a);

/* Put `expr` into `var`, which is evaluated once, or return why there is no memory; for functions that return err *. */
#define TRY_ALLOC(arena, var, expr)                                                                \
	do {                                                                                       \
		__typeof__(var) *alloc_at_ = &(var);                                               \
		*alloc_at_ = (expr);                                                               \
		if (!*alloc_at_)                                                                   \
			return arena_error(arena);                                                 \
	} while (0)
