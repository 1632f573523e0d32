/* base/json.c: JSON text to a tree, on yajl's callbacks. */
#include "base/json.h"

#include <yajl/yajl_parse.h>

#include "base/json-internal.h"

#define NUMBER_MAX 64 /* bytes of one number; longer ones name no value that a document needs */

/* A container while it is open. */
struct frame {
	json *node;
	const char *key; /* pending key of an object */
	size_t first;	 /* its children begin here in the parser's list */
};

enum { CHILDREN_MIN = 512, FEW = 24 };

/* Children of all open containers, those of the innermost last, outside the arena, because they grow; key
 * NULL in an array. */
struct children {
	struct json_member *items;
	size_t count, cap;
	struct json_member first[CHILDREN_MIN];
};

/* Memory of yajl itself: for all but large documents these few pages, which nobody needs to ask for. */
struct scratch {
	size_t used;
	_Alignas(16) char bytes[8 * 1024];
};

struct parser {
	struct arena *arena;
	const char *name;
	const char *text;
	size_t len;
	yajl_handle handle;
	json *root;
	struct frame frames[JSON_DEPTH_MAX];
	unsigned depth;
	struct children children;
	err *failure;
	size_t counted; /* bytes up to which line and line_start are known */
	uint32_t line;
	size_t line_start;
	size_t token_end; /* where the token before this one ended */
};

static void locate(struct parser *p, size_t offset)
{
	const char *text = p->text;
	size_t at = p->counted;

	offset = MIN(offset, p->len);
	for (; at < offset; at++) {
		if (text[at] != '\n')
			continue;
		p->line++;
		p->line_start = at + 1;
	}
	p->counted = at;
}

static int fail(struct parser *p, size_t offset, err *e)
{
	locate(p, offset);
	if (p->failure)
		err_free(e);
	else
		p->failure = err_wrap(e, "%s:%u:%zu", p->name, p->line,
				      MAX(p->counted, p->line_start) - p->line_start + 1);
	return 0;
}

static int out_of_memory(struct parser *p)
{
	return fail(p, yajl_get_bytes_consumed(p->handle), arena_error(p->arena));
}

static bool is_between_tokens(char c)
{
	return c == ' ' || c == '\n' || c == ',' || c == ':' || c == '\t' || c == '\r';
}

/* Where the present token begins: behind the one before it, spaces, commas and colons. The length of
 * what yajl hands over does not tell, as escapes are shorter than written. */
static size_t take_token(struct parser *p)
{
	size_t offset = p->token_end;

	while (offset < p->len && is_between_tokens(p->text[offset]))
		offset++;
	p->token_end = yajl_get_bytes_consumed(p->handle);
	return offset;
}

static bool grow(struct children *c)
{
	if (c->count < c->cap)
		return true;
	bool first = c->items == c->first;
	struct json_member *bigger = reallocarray(first ? NULL : c->items, 2 * c->cap, sizeof *bigger);
	if (!bigger)
		return false;
	if (first)
		memcpy(bigger, c->first, sizeof c->first);
	c->items = bigger;
	c->cap *= 2;
	return true;
}

/* Hang a value below the open container, or make it the root. */
static bool attach(struct parser *p, json *node)
{
	struct children *c = &p->children;

	if (p->depth == 0) {
		p->root = node;
		return true;
	}
	if (!grow(c))
		return fail(p, 0, err_oom());
	c->items[c->count++] = (struct json_member){ p->frames[p->depth - 1].key, node };
	return true;
}

static json *new_node(struct parser *p, enum json_kind kind, size_t offset)
{
	locate(p, offset);
	json *node = arena_alloc(p->arena, sizeof *node);
	if (!node) {
		out_of_memory(p);
		return NULL;
	}
	node->kind = kind;
	node->line = p->line;
	node->column = (uint32_t)(p->counted - p->line_start) + 1;
	return attach(p, node) ? node : NULL;
}

static int on_null(void *ctx)
{
	return new_node(ctx, JSON_NULL, take_token(ctx)) != NULL;
}

static int on_boolean(void *ctx, int value)
{
	json *node = new_node(ctx, JSON_BOOL, take_token(ctx));

	if (node)
		node->boolean = value;
	return node != NULL;
}

static int on_number(void *ctx, const char *text, size_t len)
{
	struct parser *p = ctx;
	size_t offset = take_token(p);

	if (len > NUMBER_MAX)
		return fail(p, offset, err_new(EINVAL, "number is too long"));
	json *node = new_node(p, JSON_NUMBER, offset);
	if (!node)
		return 0;
	node->text = arena_strndup(p->arena, text, len);
	return node->text ? 1 : out_of_memory(p);
}

static char *copy_text(struct parser *p, size_t offset, const unsigned char *text, size_t len)
{
	if (memchr(text, '\0', len)) {
		fail(p, offset, err_new(EINVAL, "NUL character in a string"));
		return NULL;
	}
	char *copy = arena_strndup(p->arena, (const char *)text, len);
	if (!copy)
		out_of_memory(p);
	return copy;
}

static int on_string(void *ctx, const unsigned char *text, size_t len)
{
	struct parser *p = ctx;
	size_t offset = take_token(p);
	json *node = new_node(p, JSON_STRING, offset);

	if (!node)
		return 0;
	node->text = copy_text(p, offset, text, len);
	return node->text != NULL;
}

static int on_key(void *ctx, const unsigned char *text, size_t len)
{
	struct parser *p = ctx;
	char *key = copy_text(p, take_token(p), text, len);

	p->frames[p->depth - 1].key = key;
	return key != NULL;
}

static int open_container(struct parser *p, enum json_kind kind)
{
	size_t offset = take_token(p);

	if (p->depth >= JSON_DEPTH_MAX)
		return fail(p, offset, err_new(EINVAL, "nested deeper than %d levels", JSON_DEPTH_MAX));
	json *node = new_node(p, kind, offset);
	if (!node)
		return 0;
	p->frames[p->depth++] = (struct frame){ .node = node, .first = p->children.count };
	return 1;
}

static int on_start_object(void *ctx)
{
	return open_container(ctx, JSON_OBJECT);
}

static int on_start_array(void *ctx)
{
	return open_container(ctx, JSON_ARRAY);
}

/* Take the innermost container with its children off the lists; they stay readable until the next one. */
static json *close_container(struct parser *p, const struct json_member **ret_items, size_t *ret_count)
{
	const struct frame *f = &p->frames[--p->depth];

	take_token(p);
	*ret_items = p->children.items + f->first;
	*ret_count = p->children.count - f->first;
	p->children.count = f->first;
	return f->node;
}

static int duplicate(struct parser *p, const struct json_member *twin)
{
	p->failure = err_new(EINVAL, "%s:%u:%u: duplicate key '%s'", p->name, twin->value->line,
			     twin->value->column, twin->key);
	return 0;
}

static int compare_members(const void *a, const void *b)
{
	return strcmp((*(const struct json_member *const *)a)->key,
		      (*(const struct json_member *const *)b)->key);
}

/* Sorted neighbours find a duplicate in n log n, whatever the number of keys. */
static int refuse_duplicates_of_many(struct parser *p, const struct json_member *members, size_t count)
{
	auto_free const struct json_member **sorted = reallocarray(NULL, count, sizeof *sorted);
	const struct json_member *twin = NULL;

	if (!sorted)
		return fail(p, 0, err_oom());
	for (size_t i = 0; i < count; i++)
		sorted[i] = &members[i];
	qsort(sorted, count, sizeof *sorted, compare_members);
	for (size_t i = 1; i < count && !twin; i++)
		if (strcmp(sorted[i - 1]->key, sorted[i]->key) == 0)
			twin = MAX(sorted[i - 1], sorted[i]);
	return twin ? duplicate(p, twin) : 1;
}

/* Few are compared each with each: no memory, and no more work than sorting them. */
static int refuse_duplicates(struct parser *p, const struct json_member *members, size_t count)
{
	if (count > FEW)
		return refuse_duplicates_of_many(p, members, count);
	for (size_t i = 1; i < count; i++)
		for (size_t j = 0; j < i; j++)
			if (strcmp(members[i].key, members[j].key) == 0)
				return duplicate(p, &members[i]);
	return 1;
}

static int on_end_object(void *ctx)
{
	struct parser *p = ctx;
	const struct json_member *members;
	size_t count;
	json *node = close_container(p, &members, &count);
	struct json_member *copy = arena_array(p->arena, count, sizeof *copy);

	if (!copy)
		return out_of_memory(p);
	memcpy(copy, members, count * sizeof *copy);
	node->object.members = copy;
	node->object.count = count;
	return refuse_duplicates(p, copy, count);
}

static int on_end_array(void *ctx)
{
	struct parser *p = ctx;
	const struct json_member *members;
	size_t count;
	json *node = close_container(p, &members, &count);
	json **copy = arena_array(p->arena, count, sizeof *copy);

	if (!copy)
		return out_of_memory(p);
	for (size_t i = 0; i < count; i++)
		copy[i] = members[i].value;
	node->array.items = copy;
	node->array.count = count;
	return 1;
}

static const yajl_callbacks callbacks = {
	.yajl_null = on_null,
	.yajl_boolean = on_boolean,
	.yajl_number = on_number,
	.yajl_string = on_string,
	.yajl_map_key = on_key,
	.yajl_start_map = on_start_object,
	.yajl_end_map = on_end_object,
	.yajl_start_array = on_start_array,
	.yajl_end_array = on_end_array,
};

/* yajl's sentence for a syntax error at `offset`, without its prefix and line end. */
static int syntax_error(struct parser *p, size_t offset)
{
	unsigned char *text = yajl_get_error(p->handle, 0, (const unsigned char *)p->text, p->len);
	const char *reason = text ? (const char *)text : "malformed";
	const char *colon = strstr(reason, "error: ");

	if (colon)
		reason = colon + strlen("error: ");
	fail(p, offset, err_new(EINVAL, "%.*s", (int)strcspn(reason, "\n"), reason));
	if (text)
		yajl_free_error(p->handle, text);
	return 0;
}

static int run(struct parser *p)
{
	size_t bad = 0;
	const char *reason = json_check_text(p->text, p->len, &bad);

	if (reason)
		return fail(p, bad, err_new(EINVAL, "%s", reason));
	yajl_status status = yajl_parse(p->handle, (const unsigned char *)p->text, p->len);
	size_t offset = yajl_get_bytes_consumed(p->handle);

	if (status == yajl_status_ok) {
		status = yajl_complete_parse(p->handle);
		offset = p->len;
	}
	if (p->failure)
		return 0;
	if (status != yajl_status_ok)
		return syntax_error(p, offset);
	if (!p->root)
		return fail(p, p->len, err_new(EINVAL, "no JSON value"));
	return 1;
}

static bool in_scratch(const struct scratch *s, const void *p)
{
	return (const char *)p >= s->bytes && (const char *)p < s->bytes + sizeof s->bytes;
}

static void *scratch_alloc(void *ctx, size_t size)
{
	struct scratch *s = ctx;
	size_t padded = (size + 31) / 16 * 16; /* the size stands in front */

	if (size > sizeof s->bytes || padded > sizeof s->bytes - s->used)
		return malloc(size);
	char *head = s->bytes + s->used;
	s->used += padded;
	memcpy(head, &size, sizeof size);
	return head + 16;
}

static void scratch_free(void *ctx, void *p)
{
	if (!in_scratch(ctx, p))
		free(p);
}

static void *scratch_realloc(void *ctx, void *p, size_t size)
{
	size_t before;

	if (p && !in_scratch(ctx, p))
		return realloc(p, size);
	void *bigger = scratch_alloc(ctx, size);
	if (p && bigger) {
		memcpy(&before, (const char *)p - 16, sizeof before);
		memcpy(bigger, p, MIN(before, size));
	}
	return bigger;
}

err *json_parse(struct arena *arena, const char *name, const char *text, size_t len, json **ret)
{
	if (len > JSON_SIZE_MAX)
		return err_new(EFBIG, "%s: larger than %u bytes", name, JSON_SIZE_MAX);
	struct parser parser = { .arena = arena, .name = name, .text = text, .len = len, .line = 1 };
	struct parser *p = &parser;
	p->children.items = p->children.first;
	p->children.cap = CHILDREN_MIN;
	struct scratch scratch;
	yajl_alloc_funcs memory = { scratch_alloc, scratch_realloc, scratch_free, &scratch };
	scratch.used = 0;
	p->handle = yajl_alloc(&callbacks, &memory, p);
	err *failure = p->handle ? NULL : err_oom();
	if (!failure && !run(p))
		failure = p->failure;
	if (p->children.items != p->children.first)
		free(p->children.items);
	if (p->handle)
		yajl_free(p->handle);
	if (!failure)
		*ret = p->root;
	return failure;
}
