/* runtime/unit-message.c: the request and the reply between stube-runtime and stube-systemd, as bytes. */
#include "runtime/unit-message.h"

#define REQUEST_MAGIC 0x51737453u /* "StsQ" */
#define REPLY_MAGIC   0x52737453u /* "StsR" */

/* ---- write ---- */

static void put(struct str *out, uint64_t value, size_t size)
{
	str_add_bytes(out, &value, size);
}

static void put_bytes(struct str *out, const void *bytes, size_t len)
{
	/* Longer than its length could say: more than a whole message may have anyway. */
	if (len > UINT16_MAX)
		out->failed = out->failed ? out->failed : EFBIG;
	put(out, len, 2);
	str_add_bytes(out, bytes, len);
}

static void put_text(struct str *out, const char *text)
{
	put_bytes(out, text ? text : "", text ? strlen(text) : 0);
}

static void put_property(struct str *out, const struct unit_property *p)
{
	put_text(out, p->name);
	put(out, p->type, 1);
	switch (p->type) {
	case UNIT_STRING:
		put_text(out, p->text);
		return;
	case UNIT_BYTES:
		put_bytes(out, p->bytes, p->count);
		return;
	case UNIT_STRINGS:
	case UNIT_PAIRS:
		put(out, p->count, 2);
		for (size_t i = 0; i < p->count; i++) {
			put_text(out, p->items[i].text);
			if (p->type == UNIT_PAIRS)
				put(out, p->items[i].number, 8);
		}
		return;
	default:
		put(out, p->number, 8);
	}
}

void unit_request_encode(struct str *out, const struct unit_request *r)
{
	put(out, REQUEST_MAGIC, 4);
	put(out, UNIT_MESSAGE_VERSION, 2);
	put(out, r->op, 1);
	put(out, r->user, 1);
	put(out, r->timeout_ms, 4);
	put(out, r->pid, 4);
	put_text(out, r->name);
	put_text(out, r->invocation);
	put_text(out, r->place);
	put(out, r->properties.count, 2);
	for (size_t i = 0; i < r->properties.count; i++)
		put_property(out, &r->properties.items[i]);
}

void unit_reply_encode(struct str *out, const struct unit_reply *r)
{
	put(out, REPLY_MAGIC, 4);
	put(out, UNIT_MESSAGE_VERSION, 2);
	put(out, r->code, 4);
	put_text(out, r->text);
	put_text(out, r->invocation);
}

/* ---- read ---- */

struct reader {
	struct arena *arena;
	const char *at, *end;
};

static err *broken(const char *what)
{
	return err_new(EBADMSG, "message of stube-systemd: %s", what);
}

static err *get(struct reader *r, size_t size, uint64_t *ret)
{
	*ret = 0;
	if ((size_t)(r->end - r->at) < size)
		return broken("too short");
	memcpy(ret, r->at, size);
	r->at += size;
	return NULL;
}

static err *get_bytes(struct reader *r, const char **ret, size_t *ret_len)
{
	uint64_t len;

	TRY(get(r, 2, &len));
	if ((size_t)(r->end - r->at) < len)
		return broken("too short");
	*ret = r->at;
	*ret_len = (size_t)len;
	r->at += len;
	return NULL;
}

static err *get_text(struct reader *r, const char **ret)
{
	const char *bytes;
	size_t len;

	TRY(get_bytes(r, &bytes, &len));
	if (memchr(bytes, '\0', len))
		return broken("a text with a zero byte");
	TRY_ALLOC(r->arena, *ret, arena_strndup(r->arena, bytes, len));
	return NULL;
}

static err *get_items(struct reader *r, struct unit_property *p)
{
	struct unit_item *items;
	uint64_t count;

	TRY(get(r, 2, &count));
	if (count > UNIT_ITEMS_MAX)
		return broken("too many items");
	TRY_ALLOC(r->arena, items, arena_array(r->arena, count + 1, sizeof *items));
	for (size_t i = 0; i < count; i++) {
		TRY(get_text(r, &items[i].text));
		if (p->type == UNIT_PAIRS)
			TRY(get(r, 8, &items[i].number));
	}
	p->items = items;
	p->count = (size_t)count;
	return NULL;
}

static err *get_value(struct reader *r, struct unit_property *p)
{
	const char *bytes;

	switch (p->type) {
	case UNIT_STRING:
		return get_text(r, &p->text);
	case UNIT_BYTES:
		TRY(get_bytes(r, &bytes, &p->count));
		TRY_ALLOC(r->arena, p->bytes, arena_alloc(r->arena, p->count + 1));
		memcpy((uint8_t *)p->bytes, bytes, p->count);
		return NULL;
	case UNIT_STRINGS:
	case UNIT_PAIRS:
		return get_items(r, p);
	case UNIT_BOOL:
	case UNIT_INT32:
	case UNIT_UINT32:
	case UNIT_INT64:
	case UNIT_UINT64:
	case UNIT_DOUBLE:
		return get(r, 8, &p->number);
	}
	return broken("a property of an unknown type");
}

static err *get_properties(struct reader *r, struct unit_properties *ret)
{
	uint64_t count, type;

	TRY(get(r, 2, &count));
	if (count > UNIT_PROPERTIES_MAX)
		return broken("too many properties");
	TRY_ALLOC(r->arena, ret->items, arena_array(r->arena, count + 1, sizeof *ret->items));
	for (; ret->count < count; ret->count++) {
		struct unit_property *p = &ret->items[ret->count];

		TRY(get_text(r, &p->name));
		TRY(get(r, 1, &type));
		p->type = (enum unit_type)type;
		TRY(get_value(r, p));
	}
	ret->cap = ret->count;
	return NULL;
}

static err *get_head(struct reader *r, uint32_t magic)
{
	uint64_t value;

	TRY(get(r, 4, &value));
	if (value != magic)
		return broken("of another kind");
	TRY(get(r, 2, &value));
	if (value != UNIT_MESSAGE_VERSION)
		return err_hint(err_new(EPROTO, "message of stube-systemd: version %u, expected %u",
					(unsigned)value, UNIT_MESSAGE_VERSION),
				"stube-runtime and stube-systemd are of different releases.");
	return NULL;
}

static err *at_end(const struct reader *r)
{
	return r->at == r->end ? NULL : broken("too long");
}

err *unit_request_decode(struct arena *arena, const void *bytes, size_t len, struct unit_request *ret)
{
	struct reader r = { arena, bytes, (const char *)bytes + len };
	struct unit_request request = { 0 };
	uint64_t op, user, timeout, pid;

	TRY(get_head(&r, REQUEST_MAGIC));
	TRY(get(&r, 1, &op));
	TRY(get(&r, 1, &user));
	TRY(get(&r, 4, &timeout));
	TRY(get(&r, 4, &pid));
	if (op < UNIT_OP_START || op > UNIT_OP_ATTACH || user > 1 || pid > INT32_MAX)
		return broken("an unknown request");
	request.op = (enum unit_op)op;
	request.user = user == 1;
	request.timeout_ms = (uint32_t)timeout;
	request.pid = (uint32_t)pid;
	TRY(get_text(&r, &request.name));
	TRY(get_text(&r, &request.invocation));
	TRY(get_text(&r, &request.place));
	TRY(get_properties(&r, &request.properties));
	TRY(at_end(&r));
	*ret = request;
	return NULL;
}

err *unit_reply_decode(struct arena *arena, const void *bytes, size_t len, struct unit_reply *ret)
{
	struct reader r = { arena, bytes, (const char *)bytes + len };
	struct unit_reply reply = { 0 };
	uint64_t code;

	TRY(get_head(&r, REPLY_MAGIC));
	TRY(get(&r, 4, &code));
	if (code > 4095)
		return broken("an unknown error");
	reply.code = (uint32_t)code;
	TRY(get_text(&r, &reply.text));
	TRY(get_text(&r, &reply.invocation));
	TRY(at_end(&r));
	if (strlen(reply.invocation) != strspn(reply.invocation, "0123456789abcdef") ||
	    strlen(reply.invocation) > UNIT_INVOCATION_LEN)
		return broken("an unknown invocation");
	*ret = reply;
	return NULL;
}
