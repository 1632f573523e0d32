/* scheduler/place-table.c: hashed sets of objects that begin with their key. */
#include <stdlib.h>
#include <string.h>

#include "scheduler/place-internal.h"

/* Multiply and fold, eight bytes at a time. Nothing depends on its order: it only finds. */
struct keyed keyed_of(const void *bytes, size_t len)
{
	const unsigned char *at = bytes;
	uint64_t hash = 0x9e3779b97f4a7c15u ^ len;
	size_t left = len;

	while (left) {
		uint64_t word = 0;
		size_t take = MIN(left, sizeof(word));
		memcpy(&word, at, take);
		hash = (hash ^ word) * 0xff51afd7ed558ccdu;
		hash ^= hash >> 32;
		at += take;
		left -= take;
	}
	return (struct keyed){ .hash = hash, .len = len, .bytes = bytes };
}

static bool same(const struct keyed *a, const struct keyed *b)
{
	return a->hash == b->hash && a->len == b->len && (!a->len || memcmp(a->bytes, b->bytes, a->len) == 0);
}

void *table_find(const struct table *t, const struct keyed *key)
{
	if (!t->size)
		return NULL;
	for (size_t i = key->hash & (t->size - 1); t->slots[i]; i = (i + 1) & (t->size - 1))
		if (same(t->slots[i], key))
			return t->slots[i];
	return NULL;
}

void *table_find_text(const struct table *t, const char *text)
{
	struct keyed key = keyed_of(text, strlen(text));

	return table_find(t, &key);
}

static void put(struct table *t, struct keyed *object)
{
	size_t i = object->hash & (t->size - 1);

	while (t->slots[i])
		i = (i + 1) & (t->size - 1);
	t->slots[i] = object;
}

err *table_add(struct table *t, struct keyed *object)
{
	if (2 * (t->count + 1) > t->size) {
		struct table larger = { .size = t->size ? 2 * t->size : 64, .count = t->count };
		larger.slots = calloc(larger.size, sizeof(*larger.slots));
		if (!larger.slots)
			return err_oom();
		for (size_t i = 0; i < t->size; i++)
			if (t->slots[i])
				put(&larger, t->slots[i]);
		free(t->slots);
		*t = larger;
	}
	put(t, object);
	t->count++;
	return NULL;
}

void table_remove(struct table *t, struct keyed *object)
{
	size_t mask = t->size - 1;
	size_t hole = object->hash & mask;

	while (t->slots[hole] != object)
		hole = (hole + 1) & mask;
	/* What stands behind the hole moves up, unless it would then stand before its own place. */
	for (size_t i = (hole + 1) & mask; t->slots[i]; i = (i + 1) & mask) {
		size_t home = t->slots[i]->hash & mask;
		if (((i - home) & mask) >= ((i - hole) & mask)) {
			t->slots[hole] = t->slots[i];
			hole = i;
		}
	}
	t->slots[hole] = NULL;
	t->count--;
}

void *table_next(const struct table *t, size_t *cursor)
{
	while (*cursor < t->size) {
		struct keyed *object = t->slots[(*cursor)++];
		if (object)
			return object;
	}
	return NULL;
}

void table_done(struct table *t)
{
	free(t->slots);
	*t = (struct table){ 0 };
}
