/* base/json-write.c: the JSON writer. */
#include "base/json-internal.h"

#include <inttypes.h>

static void new_line(struct json_writer *w)
{
	if (w->indent == 0)
		return;
	str_add_char(w->out, '\n');
	for (unsigned i = 0; i < w->depth * w->indent; i++)
		str_add_char(w->out, ' ');
}

/* What stands between the previous value and the next. */
static void separate(struct json_writer *w)
{
	if (w->after_key) {
		w->after_key = false;
		return;
	}
	if (w->depth > 0) {
		if (!w->first)
			str_add_char(w->out, ',');
		new_line(w);
	}
	w->first = false;
}

static void begin(struct json_writer *w, char c)
{
	separate(w);
	str_add_char(w->out, c);
	w->depth++;
	w->first = true;
}

static void end(struct json_writer *w, char c)
{
	w->depth--;
	if (!w->first)
		new_line(w);
	str_add_char(w->out, c);
	w->first = false;
}

void json_begin_object(struct json_writer *w)
{
	begin(w, '{');
}

void json_end_object(struct json_writer *w)
{
	end(w, '}');
}

void json_begin_array(struct json_writer *w)
{
	begin(w, '[');
}

void json_end_array(struct json_writer *w)
{
	end(w, ']');
}

void json_key(struct json_writer *w, const char *key)
{
	separate(w);
	json_quote(w->out, key);
	str_add(w->out, w->indent ? ": " : ":");
	w->after_key = true;
}

void json_null(struct json_writer *w)
{
	separate(w);
	str_add(w->out, "null");
}

void json_bool(struct json_writer *w, bool value)
{
	separate(w);
	str_add(w->out, value ? "true" : "false");
}

void json_int(struct json_writer *w, int64_t value)
{
	separate(w);
	str_addf(w->out, "%" PRId64, value);
}

void json_uint(struct json_writer *w, uint64_t value)
{
	separate(w);
	str_addf(w->out, "%" PRIu64, value);
}

void json_number_text(struct json_writer *w, const char *text)
{
	separate(w);
	str_add(w->out, text);
}

void json_string(struct json_writer *w, const char *value)
{
	if (!value) {
		json_null(w);
		return;
	}
	separate(w);
	json_quote(w->out, value);
}

static void write_children(struct json_writer *w, const json *node)
{
	if (node->kind == JSON_ARRAY) {
		json_begin_array(w);
		for (size_t i = 0; i < node->array.count; i++)
			json_tree(w, node->array.items[i]);
		json_end_array(w);
		return;
	}
	json_begin_object(w);
	for (size_t i = 0; i < node->object.count; i++) {
		json_key(w, node->object.members[i].key);
		json_tree(w, node->object.members[i].value);
	}
	json_end_object(w);
}

void json_tree(struct json_writer *w, const json *node)
{
	switch (node->kind) {
	case JSON_NULL:
		json_null(w);
		break;
	case JSON_BOOL:
		json_bool(w, node->boolean);
		break;
	case JSON_NUMBER:
		json_number_text(w, node->text);
		break;
	case JSON_STRING:
		json_string(w, node->text);
		break;
	case JSON_ARRAY:
	case JSON_OBJECT:
		write_children(w, node);
		break;
	}
}

void json_member_string(struct json_writer *w, const char *key, const char *value)
{
	json_key(w, key);
	json_string(w, value);
}

void json_member_int(struct json_writer *w, const char *key, int64_t value)
{
	json_key(w, key);
	json_int(w, value);
}

void json_member_uint(struct json_writer *w, const char *key, uint64_t value)
{
	json_key(w, key);
	json_uint(w, value);
}

void json_member_bool(struct json_writer *w, const char *key, bool value)
{
	json_key(w, key);
	json_bool(w, value);
}

static void quote_control(struct str *out, unsigned char c)
{
	static const char escapes[0x20] = {
		['\b'] = 'b', ['\f'] = 'f', ['\n'] = 'n', ['\r'] = 'r', ['\t'] = 't',
	};

	if (escapes[c])
		str_addf(out, "\\%c", escapes[c]);
	else
		str_addf(out, "\\u%04x", c);
}

void json_quote(struct str *out, const char *value)
{
	const unsigned char *p = (const unsigned char *)value;

	str_add_char(out, '"');
	while (*p) {
		size_t plain = 0;
		while (p[plain] >= 0x20 && p[plain] < 0x7f && p[plain] != '"' && p[plain] != '\\')
			plain++;
		str_add_bytes(out, p, plain);
		p += plain;
		if (!*p)
			break;
		size_t length = json_utf8_length(p, strlen((const char *)p));
		if (*p == '"' || *p == '\\')
			str_addf(out, "\\%c", *p);
		else if (*p < 0x20)
			quote_control(out, *p);
		else if (length == 0)
			str_add(out, "\xef\xbf\xbd");
		else
			str_add_bytes(out, p, length);
		p += MAX(length, (size_t)1);
	}
	str_add_char(out, '"');
}
