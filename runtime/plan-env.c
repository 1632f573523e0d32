/* runtime/plan-env.c: the environment of the program, each name once. */
#include "runtime/plan-config.h"

static size_t name_length(const char *entry)
{
	return strcspn(entry, "=");
}

/* FNV-1a. */
static uint32_t hash(const char *name, size_t len)
{
	uint32_t value = 2166136261u;

	for (size_t i = 0; i < len; i++)
		value = (value ^ (unsigned char)name[i]) * 16777619u;
	return value;
}

static bool same_name(const char *a, const char *b, size_t len)
{
	return strncmp(a, b, len) == 0 && b[len] == '=';
}

err *plan_env_unique(struct arena *arena, const struct strings *env, struct strings *ret)
{
	size_t size = 4;
	uint32_t *slots; /* index in ret->items and 1; 0: free */

	while (size < 2 * env->count)
		size *= 2;
	TRY_ALLOC(arena, slots, arena_array(arena, size, sizeof *slots));
	TRY_ALLOC(arena, ret->items, arena_array(arena, env->count + 1, sizeof *ret->items));
	ret->count = 0;
	for (size_t i = 0; i < env->count; i++) {
		const char *entry = env->items[i];
		size_t len = name_length(entry), at = hash(entry, len) & (size - 1);

		while (slots[at] && !same_name(entry, ret->items[slots[at] - 1], len))
			at = (at + 1) & (size - 1);
		if (!slots[at])
			slots[at] = (uint32_t)++ret->count;
		ret->items[slots[at] - 1] = entry;
	}
	return NULL;
}
