/* runtime/plan-env.c: the environment of the program, each name once. */
#include "runtime/plan-config.h"

static size_t name_length(const char *entry)
{
	return strcspn(entry, "=");
}

static int compare_names(const char *a, const char *b)
{
	size_t len_a = name_length(a), len_b = name_length(b);
	int order = memcmp(a, b, MIN(len_a, len_b));

	return order ? order : (len_a > len_b) - (len_a < len_b);
}

/* By name; the same name in the order of the list. */
static int compare_entries(const void *a, const void *b)
{
	const char *const *x = *(const char *const *const *)a, *const *y = *(const char *const *const *)b;
	int order = compare_names(*x, *y);

	return order ? order : (x > y) - (x < y);
}

err *plan_env_unique(struct arena *arena, const struct strings *env, struct strings *ret)
{
	size_t count = env->count;
	const char **texts, ***sorted;

	/* Sorted, not hashed: nobody's choice of names makes it slow. */
	TRY_ALLOC(arena, texts, arena_array(arena, count + 1, sizeof *texts));
	TRY_ALLOC(arena, sorted, arena_array(arena, count + 1, sizeof *sorted));
	for (size_t i = 0; i < count; i++) {
		texts[i] = env->items[i];
		sorted[i] = &texts[i];
	}
	qsort(sorted, count, sizeof *sorted, compare_entries);
	for (size_t first = 0, i = 1; i < count; i++) {
		if (compare_names(*sorted[first], *sorted[i]) != 0) {
			first = i;
			continue;
		}
		*sorted[first] = *sorted[i];
		*sorted[i] = NULL;
	}
	ret->items = texts;
	ret->count = 0;
	for (size_t i = 0; i < count; i++)
		if (texts[i])
			ret->items[ret->count++] = texts[i];
	return NULL;
}
