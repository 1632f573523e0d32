/* runtime/criu-wire.c: messages of `criu swrk` as bytes: the few forms of protocol buffers that CRIU's
 * rpc.proto uses. */
#include "runtime/criu-wire.h"

#include <string.h>

/* The lowest three bits of a field's key say how its value is written. */
enum wire_type { WIRE_VARINT = 0, WIRE_FIXED64 = 1, WIRE_BYTES = 2, WIRE_FIXED32 = 5 };

static void add_varint(struct str *out, uint64_t value)
{
	for (; value >= 0x80; value >>= 7)
		str_add_char(out, (char)(unsigned char)(value | 0x80));
	str_add_char(out, (char)value);
}

static void add_bytes(struct str *out, unsigned field, const char *bytes, size_t len)
{
	add_varint(out, (uint64_t)field << 3 | WIRE_BYTES);
	add_varint(out, len);
	str_add_bytes(out, bytes, len);
}

void wire_add_int(struct str *out, unsigned field, int64_t value)
{
	add_varint(out, (uint64_t)field << 3 | WIRE_VARINT);
	add_varint(out, (uint64_t)value);
}

void wire_add_text(struct str *out, unsigned field, const char *text)
{
	add_bytes(out, field, text, strlen(text));
}

void wire_add_message(struct str *out, unsigned field, const struct str *message)
{
	/* What could not be built must not go out in part. */
	if (message->failed)
		out->failed = message->failed;
	add_bytes(out, field, message->data, message->len);
}

/* ---- received ---- */

static bool take_varint(const char **at, const char *end, uint64_t *ret)
{
	uint64_t value = 0;

	for (unsigned shift = 0; *at < end && shift < 64; shift += 7) {
		unsigned char byte = (unsigned char)*(*at)++;

		value |= (uint64_t)(byte & 0x7f) << shift;
		if (byte < 0x80) {
			*ret = value;
			return true;
		}
	}
	return false;
}

static bool take_bytes(const char **at, const char *end, size_t len, struct wire_field *ret)
{
	if ((size_t)(end - *at) < len)
		return false;
	ret->is_bytes = true;
	ret->bytes = *at;
	ret->len = len;
	*at += len;
	return true;
}

static bool take_field(const char **at, const char *end, struct wire_field *ret)
{
	uint64_t key, len;

	if (!take_varint(at, end, &key) || key >> 3 == 0 || key >> 3 > UINT32_MAX >> 3)
		return false;
	*ret = (struct wire_field){ .number = (unsigned)(key >> 3) };
	switch (key & 7) {
	case WIRE_VARINT:
		return take_varint(at, end, &ret->value);
	case WIRE_BYTES:
		return take_varint(at, end, &len) && take_bytes(at, end, len, ret);
	case WIRE_FIXED64:
		return take_bytes(at, end, 8, ret);
	case WIRE_FIXED32:
		return take_bytes(at, end, 4, ret);
	default:
		return false;
	}
}

err *wire_next(const char **at, const char *end, struct wire_field *ret, bool *ret_found)
{
	*ret_found = *at < end;
	if (*ret_found && !take_field(at, end, ret))
		return err_new(EBADMSG, "criu sent a message that is none");
	return NULL;
}

static void copy_text(const struct wire_field *f, char *out, size_t size)
{
	size_t len = f->is_bytes ? MIN(f->len, size - 1) : 0;

	if (len)
		memcpy(out, f->bytes, len);
	out[len] = '\0';
}

/* Fields of rpc.proto's criu_notify and criu_restore_resp. */
enum { NOTIFY_SCRIPT = 1, NOTIFY_PID = 2, RESTORE_PID = 1 };

static err *decode_notify(const struct wire_field *outer, struct criu_reply *r)
{
	const char *at = outer->bytes;
	struct wire_field f;
	bool found;

	for (;;) {
		TRY(wire_next(&at, outer->bytes + outer->len, &f, &found));
		if (!found)
			return NULL;
		if (f.number == NOTIFY_SCRIPT)
			copy_text(&f, r->script, sizeof r->script);
		else if (f.number == NOTIFY_PID)
			r->pid = (int)f.value;
	}
}

static err *decode_restore(const struct wire_field *outer, struct criu_reply *r)
{
	const char *at = outer->bytes;
	struct wire_field f;
	bool found;

	for (;;) {
		TRY(wire_next(&at, outer->bytes + outer->len, &f, &found));
		if (!found)
			return NULL;
		if (f.number == RESTORE_PID)
			r->pid = (int)f.value;
	}
}

/* Fields of rpc.proto's criu_resp. */
enum {
	REPLY_TYPE = 1,
	REPLY_SUCCESS = 2,
	REPLY_RESTORE = 4,
	REPLY_NOTIFY = 5,
	REPLY_ERRNO = 7,
	REPLY_MESSAGE = 9
};

static err *decode_field(const struct wire_field *f, struct criu_reply *r)
{
	switch (f->number) {
	case REPLY_TYPE:
		r->type = f->value;
		return NULL;
	case REPLY_SUCCESS:
		r->success = f->value != 0;
		return NULL;
	case REPLY_RESTORE:
		return f->is_bytes ? decode_restore(f, r) : NULL;
	case REPLY_NOTIFY:
		return f->is_bytes ? decode_notify(f, r) : NULL;
	case REPLY_ERRNO:
		r->code = f->value < 4096 ? (int)f->value : 0;
		return NULL;
	case REPLY_MESSAGE:
		copy_text(f, r->message, sizeof r->message);
		return NULL;
	default:
		return NULL;
	}
}

err *criu_reply_decode(const void *bytes, size_t len, struct criu_reply *ret)
{
	const char *at = bytes;
	const char *end = at + len;
	struct criu_reply r = { 0 };
	struct wire_field f;
	bool found;

	for (;;) {
		TRY(wire_next(&at, end, &f, &found));
		if (!found)
			break;
		TRY(decode_field(&f, &r));
	}
	*ret = r;
	return NULL;
}
