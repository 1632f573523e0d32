/* scheduler/index.c: a treap: a search tree by key, a heap by thrown dice, so that no order of names
 * unbalances it. */
#include "scheduler/index.h"

#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

struct index_node {
	struct index_node *left, *right;
	void *value;
	uint32_t weight;
	char key[];
};

/* xorshift64; seeded by the kernel, so that nobody can choose names that make a list of the tree. */
static uint32_t throw_dice(struct index *ix)
{
	while (ix->chance == 0)
		if (getrandom(&ix->chance, sizeof(ix->chance), 0) != (ssize_t)sizeof(ix->chance))
			ix->chance = (uintptr_t)ix;
	ix->chance ^= ix->chance << 13;
	ix->chance ^= ix->chance >> 7;
	ix->chance ^= ix->chance << 17;
	return (uint32_t)(ix->chance >> 32);
}

/* Everything below key to *left, the rest to *right. */
static void split(struct index_node *n, const char *key, struct index_node **left, struct index_node **right)
{
	while (n) {
		if (strcmp(n->key, key) < 0) {
			*left = n;
			left = &n->right;
			n = n->right;
		} else {
			*right = n;
			right = &n->left;
			n = n->left;
		}
	}
	*left = *right = NULL;
}

static struct index_node *join(struct index_node *left, struct index_node *right)
{
	struct index_node *root = NULL, **at = &root;

	while (left && right) {
		if (left->weight >= right->weight) {
			*at = left;
			at = &left->right;
			left = left->right;
		} else {
			*at = right;
			at = &right->left;
			right = right->left;
		}
	}
	*at = left ? left : right;
	return root;
}

static struct index_node *find(const struct index *ix, const char *key)
{
	struct index_node *n = ix->root;

	while (n) {
		int order = strcmp(key, n->key);

		if (order == 0)
			return n;
		n = order < 0 ? n->left : n->right;
	}
	return NULL;
}

void index_put(struct index *ix, const char *key, void *value)
{
	struct index_node *n = find(ix, key), **at = &ix->root;
	size_t len = strlen(key);

	if (n) {
		n->value = value;
		return;
	}
	n = malloc(sizeof(*n) + len + 1);
	if (!n)
		abort();
	*n = (struct index_node){ .value = value, .weight = throw_dice(ix) };
	memcpy(n->key, key, len + 1);
	while (*at && (*at)->weight >= n->weight)
		at = strcmp(key, (*at)->key) < 0 ? &(*at)->left : &(*at)->right;
	split(*at, key, &n->left, &n->right);
	*at = n;
	ix->count++;
}

void *index_get(const struct index *ix, const char *key)
{
	const struct index_node *n = find(ix, key);

	return n ? n->value : NULL;
}

void *index_remove(struct index *ix, const char *key)
{
	struct index_node **at = &ix->root;

	while (*at) {
		int order = strcmp(key, (*at)->key);

		if (order == 0)
			break;
		at = order < 0 ? &(*at)->left : &(*at)->right;
	}
	if (!*at)
		return NULL;
	struct index_node *n = *at;
	void *value = n->value;

	*at = join(n->left, n->right);
	free(n);
	ix->count--;
	return value;
}

struct walk {
	const char *prefix, *after;
	size_t prefix_len;
	index_each_fn *fn;
	void *user;
};

/* False: it is over. The depth is that of the tree: some dozens. */
static bool walk(const struct index_node *n, const struct walk *w)
{
	if (!n)
		return true;
	int order = strncmp(n->key, w->prefix, w->prefix_len);
	bool late = w->after && strcmp(n->key, w->after) <= 0;

	if (order >= 0 && !late && !walk(n->left, w))
		return false;
	if (order > 0)
		return false;
	if (order == 0 && !late && !w->fn(n->value, w->user))
		return false;
	return walk(n->right, w);
}

void index_each(const struct index *ix, const char *prefix, const char *after, index_each_fn *fn, void *user)
{
	const struct walk w = { prefix, after, strlen(prefix), fn, user };

	walk(ix->root, &w);
}

static void free_all(struct index_node *n)
{
	if (!n)
		return;
	free_all(n->left);
	free_all(n->right);
	free(n);
}

void index_done(struct index *ix)
{
	free_all(ix->root);
	*ix = (struct index){ 0 };
}
