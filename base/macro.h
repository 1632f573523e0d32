/* base/macro.h: the attributes that make ownership and contracts visible in the code.
 * Ref: GCC manual, "Common Variable Attributes" (cleanup), "Common Function Attributes". */
#pragma once
#include <stddef.h>
#include <stdlib.h>

#include "base/banned.h"

#define MUST_CHECK    __attribute__((warn_unused_result))
#define PRINTF(f, a)  __attribute__((format(printf, f, a)))
#define SENTINEL      __attribute__((sentinel))
#define NORETURN      __attribute__((noreturn))
#define UNUSED        __attribute__((unused))
#define CLEANUP(func) __attribute__((cleanup(cleanup_##func)))

#define ARRAY_LEN(a) (sizeof(a) / sizeof((a)[0]))
#define MIN(a, b)    ((a) < (b) ? (a) : (b))
#define MAX(a, b)    ((a) > (b) ? (a) : (b))

/* Name a destructor for `CLEANUP(func)`: DEFINE_CLEANUP(struct store *, store_free) lets a file
 * say `#define auto_store CLEANUP(store_free)`. The destructor must accept the unset value. */
#define DEFINE_CLEANUP(type, func)                                                                 \
	static inline UNUSED void cleanup_##func(type *p)                                          \
	{                                                                                          \
		func(*p);                                                                          \
	}

/* The same for a struct that lives on the stack: its destructor takes the address. */
#define DEFINE_CLEANUP_OF(type, func)                                                              \
	static inline UNUSED void cleanup_##func(type *p)                                          \
	{                                                                                          \
		func(p);                                                                           \
	}

static inline UNUSED void cleanup_free(void *p)
{
	free(*(void **)p);
}
#define auto_free CLEANUP(free)

/* The one visible hand-over: the variable gives its value away and becomes unset. */
#define TAKE(ptr)                                                                                  \
	({                                                                                         \
		__typeof__(ptr) *take_at_ = &(ptr);                                                \
		__typeof__(ptr) take_ = *take_at_;                                                 \
		*take_at_ = NULL;                                                                  \
		take_;                                                                             \
	})
#define TAKE_FD(fd)                                                                                \
	({                                                                                         \
		int *take_at_ = &(fd);                                                             \
		int take_ = *take_at_;                                                             \
		*take_at_ = -1;                                                                    \
		take_;                                                                             \
	})
