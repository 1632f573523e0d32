/* api/yaml-write.c: trees as YAML text in block style. */
#include "api/yaml.h"

#include <ctype.h>

#include "api/yaml-internal.h"

#define KEY_MAX 1000 /* bytes as written; YAML's readers look 1024 characters ahead for the colon */

/* ---- which characters may stand as they are ---- */

/* The character at p and its length; an invalid byte gives U+FFFD. */
static uint32_t take_character(const unsigned char *p, size_t *ret_len)
{
	static const uint32_t least[] = { 0, 0, 0x80, 0x800, 0x10000 };
	size_t len = *p < 0x80		       ? 1
		     : *p >= 0xc2 && *p < 0xe0 ? 2
		     : *p >= 0xe0 && *p < 0xf0 ? 3
		     : *p >= 0xf0 && *p < 0xf5 ? 4
					       : 0;
	uint32_t c = len > 1 ? *p & (0xffu >> (len + 1)) : *p;

	for (size_t i = 1; i < len; i++) {
		if ((p[i] & 0xc0) != 0x80)
			len = 0;
		c = c << 6 | (p[i] & 0x3fu);
	}
	if (len == 0 || c < least[len] || c > 0x10ffff || (c >= 0xd800 && c < 0xe000)) {
		*ret_len = 1;
		return 0xfffd;
	}
	*ret_len = len;
	return c;
}

/* Neither a control character nor one that a reader takes for a line break or a byte order mark. */
static bool is_printable(uint32_t c)
{
	return (c >= 0x20 && c < 0x7f) ||
	       (c >= 0xa0 && c < 0xfffe && c != 0x2028 && c != 0x2029 && c != 0xfeff) || c >= 0x10000;
}

static bool is_printable_text(const char *text, const char *also)
{
	const unsigned char *p = (const unsigned char *)text;

	for (size_t len; *p; p += len) {
		uint32_t c = take_character(p, &len);
		bool invalid = c == 0xfffd && len == 1;
		if (invalid || (!is_printable(c) && (c > 0x7f || !strchr(also, (int)c))))
			return false;
	}
	return true;
}

/* ---- strings ---- */

/* What other readers of YAML 1.1 take for a date or a number of base 60. */
static bool looks_typed_elsewhere(const char *text)
{
	size_t year = strspn(text, "0123456789");

	if (year == 4 && text[4] == '-' && isdigit((unsigned char)text[5]))
		return true;
	const char *digits = text + (*text == '-' || *text == '+');
	return strchr(text, ':') && digits[strspn(digits, "0123456789:._")] == '\0';
}

static bool is_plain(const char *text)
{
	char number[YAML_NUMBER_MAX + 2];
	size_t len = strlen(text);
	bool boolean;

	if (len == 0 || strchr(",[]{}#&*!|>'\"%@`=<", *text) || isspace((unsigned char)text[len - 1]) ||
	    text[len - 1] == ':')
		return false;
	if (strchr("-?: ", *text) && (*text == ' ' || text[1] == ' ' || text[1] == '\0'))
		return false;
	if (str_starts_with(text, "---") || str_starts_with(text, "...") || strstr(text, ": ") ||
	    strstr(text, " #"))
		return false;
	return is_printable_text(text, "") && !looks_typed_elsewhere(text) &&
	       yaml_scalar_type(text, &boolean, number) == YAML_STRING;
}

static void write_quoted(struct str *out, const char *text)
{
	const unsigned char *p = (const unsigned char *)text;
	static const char escapes[0x20] = { ['\t'] = 't', ['\n'] = 'n', ['\r'] = 'r' };

	str_add_char(out, '"');
	for (size_t len; *p; p += len) {
		uint32_t c = take_character(p, &len);
		if (c == '"' || c == '\\')
			str_addf(out, "\\%c", (int)c);
		else if (c == 0xfffd)
			str_add(out, "\xef\xbf\xbd");
		else if (is_printable(c))
			str_add_bytes(out, p, len);
		else if (c < 0x20 && escapes[c])
			str_addf(out, "\\%c", escapes[c]);
		else
			str_addf(out, "\\u%04x", c);
	}
	str_add_char(out, '"');
}

/* Text of several lines that a literal block gives back exactly. */
static bool is_literal(const char *text)
{
	const char *line = strchr(text, '\n');

	return line && !isspace((unsigned char)*text) && is_printable_text(text, "\n\t");
}

static void indent_by(struct str *out, unsigned columns)
{
	str_addf(out, "%*s", (int)columns, "");
}

static void write_literal(struct str *out, const char *text, unsigned indent)
{
	size_t len = strlen(text);

	str_add(out, text[len - 1] != '\n' ? "|-" : text[len - 2] == '\n' ? "|+" : "|");
	while (*text) {
		size_t line = strcspn(text, "\n");
		str_add_char(out, '\n');
		if (line)
			indent_by(out, indent);
		str_add_bytes(out, text, line);
		text += line;
		if (*text == '\n' && text[1] == '\0')
			break;
		text += *text == '\n';
	}
}

/* ---- trees ---- */

static void write_scalar(struct str *out, const json *node, unsigned indent, bool may_be_literal)
{
	switch (node->kind) {
	case JSON_NULL:
		str_add(out, "null");
		break;
	case JSON_BOOL:
		str_add(out, node->boolean ? "true" : "false");
		break;
	case JSON_NUMBER:
		str_add(out, node->text);
		break;
	case JSON_OBJECT:
		str_add(out, "{}");
		break;
	case JSON_ARRAY:
		str_add(out, "[]");
		break;
	case JSON_STRING:
		if (is_plain(node->text))
			str_add(out, node->text);
		else if (may_be_literal && is_literal(node->text))
			write_literal(out, node->text, indent);
		else
			write_quoted(out, node->text);
	}
}

static bool is_empty(const json *node)
{
	return (node->kind == JSON_OBJECT && node->object.count == 0) ||
	       (node->kind == JSON_ARRAY && node->array.count == 0);
}

static void write_block(struct str *out, const json *node, unsigned indent);

static void write_key(struct str *out, const char *key, unsigned indent)
{
	auto_str struct str written = STR_INIT(out->max);

	if (is_plain(key))
		str_add(&written, key);
	else
		write_quoted(&written, key);
	if (written.failed)
		out->failed = written.failed;
	if (written.len > KEY_MAX) {
		str_addf(out, "? %s\n", written.data);
		indent_by(out, indent);
	} else {
		str_add(out, written.data);
	}
	str_add_char(out, ':');
}

static void write_members(struct str *out, const json *node, unsigned indent)
{
	for (size_t i = 0; i < node->object.count; i++) {
		const json *value = node->object.members[i].value;
		bool block = !is_empty(value) && (value->kind == JSON_OBJECT || value->kind == JSON_ARRAY);
		if (i)
			indent_by(out, indent);
		write_key(out, node->object.members[i].key, indent);
		if (!block) {
			str_add_char(out, ' ');
			write_scalar(out, value, indent + 2, true);
			str_add_char(out, '\n');
			continue;
		}
		/* A list stands below its key without indentation, as kubectl(1) prints it. */
		unsigned inner = value->kind == JSON_OBJECT ? indent + 2 : indent;
		str_add_char(out, '\n');
		indent_by(out, inner);
		write_block(out, value, inner);
	}
}

static void write_items(struct str *out, const json *node, unsigned indent)
{
	for (size_t i = 0; i < node->array.count; i++) {
		const json *value = node->array.items[i];
		if (i)
			indent_by(out, indent);
		str_add(out, "- ");
		write_block(out, value, indent + 2);
	}
}

/* The cursor stands at column `indent`. */
static void write_block(struct str *out, const json *node, unsigned indent)
{
	if (node->kind == JSON_OBJECT && !is_empty(node)) {
		write_members(out, node, indent);
	} else if (node->kind == JSON_ARRAY && !is_empty(node)) {
		write_items(out, node, indent);
	} else {
		write_scalar(out, node, indent, indent > 0);
		str_add_char(out, '\n');
	}
}

void yaml_write(struct str *out, const json *tree)
{
	write_block(out, tree, 0);
}
