/* scheduler/index.h: an ordered set of pointers by text: lookups and walks from a key on. */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct index_node;
struct index {
	struct index_node *root;
	size_t count;
	uint64_t chance; /* state of the balance's dice */
};

/* Keys are copied. An equal key's pointer is replaced. Aborts without memory, as a half-updated index is no
 * index. */
void index_put(struct index *ix, const char *key, void *value);
void *index_get(const struct index *ix, const char *key);
/* The pointer that was there, or NULL. */
void *index_remove(struct index *ix, const char *key);

/* In the order of strcmp(3): all keys that begin with `prefix` and come after `after` (NULL: from the first).
 * False from fn ends it. fn may not change the index. */
typedef bool index_each_fn(void *value, void *user);
void index_each(const struct index *ix, const char *prefix, const char *after, index_each_fn *fn, void *user);

void index_done(struct index *ix);
