/* api/yaml.c: YAML text to trees, on libyaml's events. */
#include "api/yaml.h"

#include <yaml.h>

#include "api/yaml-internal.h"

#define ANCHORS_MAX 1024 /* a document */
#define TAG_PREFIX  "tag:yaml.org,2002:"

/* How much a value is once its aliases are expanded. */
struct extent {
	size_t nodes;
	unsigned depth; /* of a scalar: 0 */
};

/* Children of a mapping or sequence while it is open. Kept outside the arena: they grow. */
struct frame {
	json *node;
	const char *key; /* pending key of a mapping */
	const char *anchor;
	struct json_member *members;
	json **items;
	size_t count, cap;
	struct extent extent;
};

struct anchor {
	const char *name;
	json *node; /* NULL: not yet whole */
	struct extent extent;
};

struct reader {
	struct arena *arena;
	const char *name, *text;
	size_t len;
	yaml_parser_t parser;
	struct frame frames[JSON_DEPTH_MAX];
	unsigned depth;
	json *root;
	struct anchor anchors[ANCHORS_MAX];
	size_t anchor_count;
	size_t nodes; /* of all documents */
	json **documents;
	size_t document_count, document_cap;
};

static err *fail(const struct reader *r, const yaml_mark_t *mark, const char *fmt, ...) PRINTF(3, 4);
static err *fail(const struct reader *r, const yaml_mark_t *mark, const char *fmt, ...)
{
	char message[512];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(message, sizeof(message), fmt, ap);
	va_end(ap);
	return err_new(EINVAL, "%s:%zu:%zu: %s", r->name, mark->line + 1, mark->column + 1, message);
}

/* ---- the tree ---- */

static bool grow(void **list, size_t count, size_t *cap, size_t item_size)
{
	if (count < *cap)
		return true;
	size_t more = *cap ? *cap * 2 : 8;
	void *bigger = reallocarray(*list, more, item_size);
	if (!bigger)
		return false;
	*list = bigger;
	*cap = more;
	return true;
}

static err *new_node(struct reader *r, enum json_kind kind, const yaml_mark_t *mark, json **ret)
{
	TRY_ALLOC(r->arena, *ret, arena_alloc(r->arena, sizeof(**ret)));
	(*ret)->kind = kind;
	(*ret)->line = (uint32_t)mark->line + 1;
	(*ret)->column = (uint32_t)mark->column + 1;
	return NULL;
}

/* Hang a whole value below the open container, or make it the root. */
static err *attach(struct reader *r, const yaml_mark_t *mark, json *node, struct extent extent)
{
	r->nodes += extent.nodes;
	if (r->nodes > YAML_NODES_MAX)
		return fail(r, mark, "more than %u values, counting what aliases stand for", YAML_NODES_MAX);
	if (r->depth + extent.depth > JSON_DEPTH_MAX)
		return fail(r, mark, "nested deeper than %d levels", JSON_DEPTH_MAX);
	if (r->depth == 0) {
		r->root = node;
		return NULL;
	}
	struct frame *f = &r->frames[r->depth - 1];
	f->extent.nodes += extent.nodes;
	f->extent.depth = MAX(f->extent.depth, extent.depth + 1);
	if (f->node->kind == JSON_ARRAY) {
		if (!grow((void **)&f->items, f->count, &f->cap, sizeof(*f->items)))
			return err_oom();
		f->items[f->count++] = node;
		return NULL;
	}
	if (!grow((void **)&f->members, f->count, &f->cap, sizeof(*f->members)))
		return err_oom();
	f->members[f->count++] = (struct json_member){ f->key, node };
	f->key = NULL;
	return NULL;
}

/* ---- anchors and aliases ---- */

static struct anchor *find_anchor(struct reader *r, const char *name)
{
	for (size_t i = r->anchor_count; i-- > 0;)
		if (strcmp(r->anchors[i].name, name) == 0)
			return &r->anchors[i];
	return NULL;
}

/* An anchor given again names the later value from there on. */
static err *declare_anchor(struct reader *r, const yaml_mark_t *mark, const yaml_char_t *text,
			   const char **ret)
{
	*ret = NULL;
	if (!text)
		return NULL;
	struct anchor *a = find_anchor(r, (const char *)text);
	if (!a && r->anchor_count == ANCHORS_MAX)
		return fail(r, mark, "more than %d anchors", ANCHORS_MAX);
	if (!a) {
		a = &r->anchors[r->anchor_count];
		TRY_ALLOC(r->arena, a->name, arena_strdup(r->arena, (const char *)text));
		r->anchor_count++;
	}
	a->node = NULL;
	*ret = a->name;
	return NULL;
}

static void complete_anchor(struct reader *r, const char *name, json *node, struct extent extent)
{
	struct anchor *a = name ? find_anchor(r, name) : NULL;

	if (a) {
		a->node = node;
		a->extent = extent;
	}
}

static bool wants_key(const struct reader *r)
{
	const struct frame *f = r->depth ? &r->frames[r->depth - 1] : NULL;
	return f && f->node->kind == JSON_OBJECT && !f->key;
}

/* The value is shared, not copied: trees are read, never changed. */
static err *on_alias(struct reader *r, const yaml_event_t *event)
{
	const char *name = (const char *)event->data.alias.anchor;
	const struct anchor *a = find_anchor(r, name);

	if (wants_key(r))
		return fail(r, &event->start_mark, "an alias as a key is not supported");
	if (!a)
		return fail(r, &event->start_mark, "alias '*%.100s' of no anchor", name);
	if (!a->node)
		return fail(r, &event->start_mark, "alias '*%.100s' inside of what it stands for", name);
	return attach(r, &event->start_mark, a->node, a->extent);
}

/* ---- scalars ---- */

static err *check_no_nul(const struct reader *r, const yaml_event_t *event)
{
	return memchr(event->data.scalar.value, '\0', event->data.scalar.length)
		       ? fail(r, &event->start_mark, "NUL character in a string")
		       : NULL;
}

static err *on_key(struct reader *r, const yaml_event_t *event)
{
	const char *text = (const char *)event->data.scalar.value;
	bool plain = event->data.scalar.style == YAML_PLAIN_SCALAR_STYLE;

	TRY(check_no_nul(r, event));
	if (event->data.scalar.anchor)
		return fail(r, &event->start_mark, "an anchor at a key is not supported");
	if (plain && (!*text || str_equal(text, "~")))
		return fail(r, &event->start_mark, "a key must be a string");
	if (plain && str_equal(text, "<<"))
		return fail(r, &event->start_mark, "merge keys '<<' are not supported");
	TRY_ALLOC(r->arena, r->frames[r->depth - 1].key, arena_strdup(r->arena, text));
	return NULL;
}

/* clang-format off */
static const struct core_tag { const char *name; enum json_kind kind; } core_tags[] = {
	{ "str", JSON_STRING }, { "int", JSON_NUMBER }, { "float", JSON_NUMBER }, { "bool", JSON_BOOL },
	{ "null", JSON_NULL }, { "seq", JSON_ARRAY }, { "map", JSON_OBJECT },
};
/* clang-format on */

static err *read_tag(const struct reader *r, const yaml_event_t *event, const yaml_char_t *tag,
		     enum json_kind *ret)
{
	const char *text = (const char *)tag, *name = text;

	if (str_starts_with(text, TAG_PREFIX)) {
		name = text + strlen(TAG_PREFIX);
		for (size_t i = 0; i < ARRAY_LEN(core_tags); i++)
			if (str_equal(core_tags[i].name, name)) {
				*ret = core_tags[i].kind;
				return NULL;
			}
	}
	return fail(r, &event->start_mark, "tag '%s%.100s' is not supported", name == text ? "" : "!!", name);
}

static err *type_scalar(const struct reader *r, const yaml_event_t *event, json *node)
{
	char number[YAML_NUMBER_MAX + 2];
	const char *text = (const char *)event->data.scalar.value;
	bool boolean = false;

	switch (yaml_scalar_type(text, &boolean, number)) {
	case YAML_NULL:
		node->kind = JSON_NULL;
		return NULL;
	case YAML_BOOL:
		node->kind = JSON_BOOL;
		node->boolean = boolean;
		return NULL;
	case YAML_NUMBER:
		node->kind = JSON_NUMBER;
		TRY_ALLOC(r->arena, node->text, arena_strdup(r->arena, number));
		return NULL;
	case YAML_NOT_A_NUMBER:
		return fail(r, &event->start_mark,
			    "'%s' is not a number that JSON knows; a string needs quotes", text);
	case YAML_TOO_LONG:
		return fail(r, &event->start_mark, "number is too long; a string needs quotes");
	case YAML_STRING:
		break;
	}
	TRY_ALLOC(r->arena, node->text, arena_strdup(r->arena, text));
	return NULL;
}

static err *read_scalar(const struct reader *r, const yaml_event_t *event, json *node)
{
	const yaml_char_t *tag = event->data.scalar.tag;
	enum json_kind wanted = JSON_STRING;

	if (tag && *tag && !str_equal((const char *)tag, "!")) {
		TRY(read_tag(r, event, tag, &wanted));
		if (wanted != JSON_STRING) {
			TRY(type_scalar(r, event, node));
			return node->kind == wanted
				       ? NULL
				       : fail(r, &event->start_mark, "tag says %s, but this is a %s",
					      json_kind_name(wanted), json_kind_name(node->kind));
		}
	} else if (event->data.scalar.style == YAML_PLAIN_SCALAR_STYLE) {
		return type_scalar(r, event, node);
	}
	TRY_ALLOC(r->arena, node->text,
		  arena_strndup(r->arena, (const char *)event->data.scalar.value, event->data.scalar.length));
	return NULL;
}

static err *on_scalar(struct reader *r, const yaml_event_t *event)
{
	static const struct extent one = { .nodes = 1 };
	const char *anchor = NULL;
	json *node = NULL;

	if (wants_key(r))
		return on_key(r, event);
	TRY(check_no_nul(r, event));
	TRY(declare_anchor(r, &event->start_mark, event->data.scalar.anchor, &anchor));
	TRY(new_node(r, JSON_STRING, &event->start_mark, &node));
	TRY(read_scalar(r, event, node));
	complete_anchor(r, anchor, node, one);
	return attach(r, &event->start_mark, node, one);
}

/* ---- mappings and sequences ---- */

static err *open_container(struct reader *r, const yaml_event_t *event, enum json_kind kind,
			   const yaml_char_t *anchor, const yaml_char_t *tag)
{
	struct frame frame = { .extent = { .nodes = 1, .depth = 1 } };
	enum json_kind wanted = kind;

	if (wants_key(r))
		return fail(r, &event->start_mark, "a key must be a string");
	if (r->depth >= JSON_DEPTH_MAX)
		return fail(r, &event->start_mark, "nested deeper than %d levels", JSON_DEPTH_MAX);
	if (tag && *tag && !str_equal((const char *)tag, "!"))
		TRY(read_tag(r, event, tag, &wanted));
	if (wanted != kind)
		return fail(r, &event->start_mark, "tag says %s, but this is an %s", json_kind_name(wanted),
			    json_kind_name(kind));
	TRY(declare_anchor(r, &event->start_mark, anchor, &frame.anchor));
	TRY(new_node(r, kind, &event->start_mark, &frame.node));
	r->frames[r->depth++] = frame;
	return NULL;
}

static int compare_members(const void *a, const void *b)
{
	const struct json_member *left = *(const struct json_member *const *)a;
	const struct json_member *right = *(const struct json_member *const *)b;
	int order = strcmp(left->key, right->key);

	return order ? order : (left > right) - (left < right);
}

/* Sorted neighbours find a duplicate in n log n, whatever the number of keys. */
static err *refuse_duplicates(const struct reader *r, const json *object)
{
	size_t count = object->object.count;
	const struct json_member *twin = NULL;
	auto_free const struct json_member **sorted = NULL;

	if (count < 2)
		return NULL;
	sorted = reallocarray(NULL, count, sizeof(*sorted));
	if (!sorted)
		return err_oom();
	for (size_t i = 0; i < count; i++)
		sorted[i] = &object->object.members[i];
	qsort(sorted, count, sizeof(*sorted), compare_members);
	for (size_t i = 1; i < count && !twin; i++)
		if (strcmp(sorted[i - 1]->key, sorted[i]->key) == 0)
			twin = sorted[i];
	return twin ? err_new(EINVAL, "%s:%u:%u: duplicate key '%.100s'", r->name, twin->value->line,
			      twin->value->column, twin->key)
		    : NULL;
}

static err *close_container(struct reader *r)
{
	struct frame *f = &r->frames[--r->depth];
	auto_free struct json_member *members = f->members;
	auto_free json **items = f->items;
	json *node = f->node;

	if (node->kind == JSON_OBJECT) {
		TRY_ALLOC(r->arena, node->object.members, arena_array(r->arena, f->count, sizeof(*members)));
		if (f->count)
			memcpy(node->object.members, members, f->count * sizeof(*members));
		node->object.count = f->count;
		TRY(refuse_duplicates(r, node));
	} else {
		TRY_ALLOC(r->arena, node->array.items, arena_array(r->arena, f->count, sizeof(json *)));
		if (f->count)
			memcpy(node->array.items, items, f->count * sizeof(json *));
		node->array.count = f->count;
	}
	complete_anchor(r, f->anchor, node, f->extent);
	/* Its children have been counted when they came. */
	r->nodes -= f->extent.nodes - 1;
	yaml_mark_t mark = { .line = node->line - 1, .column = node->column - 1 };
	return attach(r, &mark, node, f->extent);
}

static err *on_document_end(struct reader *r, const yaml_event_t *event)
{
	json *root = TAKE(r->root);

	r->anchor_count = 0;
	if (!root || root->kind == JSON_NULL)
		return NULL;
	if (r->document_count == YAML_DOCUMENTS_MAX)
		return fail(r, &event->start_mark, "more than %d documents", YAML_DOCUMENTS_MAX);
	if (!grow((void **)&r->documents, r->document_count, &r->document_cap, sizeof(*r->documents)))
		return err_oom();
	r->documents[r->document_count++] = root;
	return NULL;
}

static err *on_event(struct reader *r, const yaml_event_t *event)
{
	switch (event->type) {
	case YAML_SCALAR_EVENT:
		return on_scalar(r, event);
	case YAML_ALIAS_EVENT:
		return on_alias(r, event);
	case YAML_MAPPING_START_EVENT:
		return open_container(r, event, JSON_OBJECT, event->data.mapping_start.anchor,
				      event->data.mapping_start.tag);
	case YAML_SEQUENCE_START_EVENT:
		return open_container(r, event, JSON_ARRAY, event->data.sequence_start.anchor,
				      event->data.sequence_start.tag);
	case YAML_MAPPING_END_EVENT:
	case YAML_SEQUENCE_END_EVENT:
		return close_container(r);
	case YAML_DOCUMENT_END_EVENT:
		return on_document_end(r, event);
	default:
		return NULL;
	}
}

static err *read_stream(struct reader *r)
{
	for (bool ended = false; !ended;) {
		yaml_event_t event;
		if (!yaml_parser_parse(&r->parser, &event))
			return yaml_syntax_error(r->name, r->text, r->len, &r->parser);
		ended = event.type == YAML_STREAM_END_EVENT;
		err *e = on_event(r, &event);
		yaml_event_delete(&event);
		TRY(e);
	}
	return NULL;
}

static err *read_documents(struct reader *r, json ***ret, size_t *ret_count)
{
	if (!yaml_parser_initialize(&r->parser))
		return err_oom();
	yaml_parser_set_encoding(&r->parser, YAML_UTF8_ENCODING);
	yaml_parser_set_input_string(&r->parser, (const unsigned char *)r->text, r->len);
	err *e = read_stream(r);
	yaml_parser_delete(&r->parser);
	while (r->depth) {
		struct frame *f = &r->frames[--r->depth];
		free(f->members);
		free(f->items);
	}
	TRY(e);
	json **list;
	TRY_ALLOC(r->arena, list, arena_array(r->arena, r->document_count, sizeof(*list)));
	if (r->document_count)
		memcpy(list, r->documents, r->document_count * sizeof(*list));
	*ret = list;
	*ret_count = r->document_count;
	return NULL;
}

/* What is JSON is read as such: all of its escapes, and keys of any length. */
static bool read_json(struct arena *arena, const char *name, const char *text, size_t len, json ***ret,
		      size_t *ret_count)
{
	size_t begin = 0;
	json *tree = NULL;

	while (begin < len && strchr(" \t\r\n", text[begin]))
		begin++;
	if (begin == len || (text[begin] != '{' && text[begin] != '['))
		return false;
	auto_err err *e = json_parse(arena, name, text, len, &tree);
	json **list = e ? NULL : arena_array(arena, 1, sizeof(*list));
	if (!list)
		return false;
	list[0] = tree;
	*ret = list;
	*ret_count = 1;
	return true;
}

err *yaml_parse(struct arena *arena, const char *name, const char *text, size_t len, json ***ret,
		size_t *ret_count)
{
	if (len > YAML_SIZE_MAX)
		return err_new(EFBIG, "%s: larger than %u bytes", name, YAML_SIZE_MAX);
	if (read_json(arena, name, text, len, ret, ret_count))
		return NULL;
	auto_free struct reader *r = calloc(1, sizeof(*r));
	if (!r)
		return err_oom();
	*r = (struct reader){ .arena = arena, .name = name, .text = text, .len = len };
	err *e = read_documents(r, ret, ret_count);
	free(r->documents);
	return e;
}
