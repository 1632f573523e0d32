/* scheduler/place-pack.c: deep copies in one block of memory, with keys of the same content. */
#include <stdlib.h>
#include <string.h>

#include "scheduler/place-internal.h"

void *pack_room(struct pack *p, size_t size)
{
	size_t at = p->used;

	p->used += (size + 7) & ~(size_t)7;
	return p->memory ? p->memory + at : NULL;
}

const char *pack_text(struct pack *p, const char *text)
{
	if (!text)
		return NULL;
	size_t size = strlen(text) + 1;
	char *copy = pack_room(p, size);

	if (copy)
		memcpy(copy, text, size);
	return copy;
}

void pack_map(struct pack *p, const struct string_map *from, struct string_map *to)
{
	struct string_pair *items = pack_room(p, from->count * sizeof(*items));

	for (size_t i = 0; i < from->count; i++) {
		const char *key = pack_text(p, from->items[i].key);
		const char *value = pack_text(p, from->items[i].value);
		if (items)
			items[i] = (struct string_pair){ key, value };
	}
	*to = (struct string_map){ items, from->count };
}

void pack_requirements(struct pack *p, const struct requirements *from, struct requirements *to)
{
	struct selector_requirement *items = pack_room(p, from->count * sizeof(*items));

	for (size_t i = 0; i < from->count; i++) {
		const struct selector_requirement *r = &from->items[i];
		const char *key = pack_text(p, r->key);
		const char **values = pack_room(p, r->values.count * sizeof(*values));
		for (size_t j = 0; j < r->values.count; j++) {
			const char *value = pack_text(p, r->values.items[j]);
			if (values)
				values[j] = value;
		}
		if (items)
			items[i] = (struct selector_requirement){
				.key = key,
				.operator= r->operator,
				.values = { values, r->values.count },
			};
	}
	*to = (struct requirements){ items, from->count };
}

void pack_selector(struct pack *p, const struct label_selector *from, struct label_selector *to)
{
	struct requirements r = { from->match_expressions.items, from->match_expressions.count };

	pack_map(p, &from->match_labels, &to->match_labels);
	pack_requirements(p, &r, &r);
	to->match_expressions.items = r.items;
	to->match_expressions.count = r.count;
}

void key_bytes(struct str *key, const void *bytes, size_t len)
{
	str_add_bytes(key, bytes, len);
}

void key_number(struct str *key, int64_t number)
{
	key_bytes(key, &number, sizeof(number));
}

/* Texts hold no NUL, so that what follows cannot be mistaken for a part of them. */
void key_text(struct str *key, const char *text)
{
	str_add_char(key, text ? 't' : 'n');
	if (text)
		str_add_bytes(key, text, strlen(text) + 1);
}

void key_map(struct str *key, const struct string_map *map)
{
	key_number(key, (int64_t)map->count);
	for (size_t i = 0; i < map->count; i++) {
		key_text(key, map->items[i].key);
		key_text(key, map->items[i].value);
	}
}

void key_requirements(struct str *key, const struct requirements *r)
{
	key_number(key, (int64_t)r->count);
	for (size_t i = 0; i < r->count; i++) {
		key_text(key, r->items[i].key);
		key_number(key, r->items[i].operator);
		key_number(key, (int64_t)r->items[i].values.count);
		for (size_t j = 0; j < r->items[i].values.count; j++)
			key_text(key, r->items[i].values.items[j]);
	}
}

void key_selector(struct str *key, const struct label_selector *s)
{
	str_add_char(key, s ? 's' : 'n');
	if (!s)
		return;
	struct requirements r = { s->match_expressions.items, s->match_expressions.count };
	key_map(key, &s->match_labels);
	key_requirements(key, &r);
}

err *key_take(const struct str *key, struct keyed *ret)
{
	TRY(str_check(key));
	char *bytes = malloc(key->len + 1);
	if (!bytes)
		return err_oom();
	memcpy(bytes, key->data, key->len + 1);
	*ret = keyed_of(bytes, key->len);
	return NULL;
}
