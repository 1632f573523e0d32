/* api/yaml-error.c: what libyaml found wrong, with line and column. */
#include <yaml.h>

#include "api/yaml-internal.h"

/* The line's indentation holds a tab. */
static bool is_indented_by_tab(const char *text, size_t len, size_t line)
{
	const char *p = text, *end = text + len;

	for (; line && p < end; line--) {
		const char *next = memchr(p, '\n', (size_t)(end - p));
		p = next ? next + 1 : end;
	}
	while (p < end && *p == ' ')
		p++;
	return p < end && *p == '\t';
}

/* Bytes that are no text have an offset, not yet a place. */
static err *reader_error(const char *name, const char *text, size_t len, const yaml_parser_t *p)
{
	size_t line = 1, column = 1;

	for (size_t i = 0; i < MIN(p->problem_offset, len); i++) {
		line += text[i] == '\n';
		column = text[i] == '\n' ? 1 : column + 1;
	}
	if (p->problem_value <= 0)
		return err_new(EINVAL, "%s:%zu:%zu: %s", name, line, column, p->problem);
	return err_new(EINVAL, "%s:%zu:%zu: %s (0x%x)", name, line, column, p->problem,
		       (unsigned)p->problem_value);
}

err *yaml_syntax_error(const char *name, const char *text, size_t len, const yaml_parser_t *p)
{
	size_t line = p->problem_mark.line + 1, column = p->problem_mark.column + 1;

	if (p->error == YAML_MEMORY_ERROR)
		return err_oom();
	if (p->error == YAML_READER_ERROR)
		return reader_error(name, text, len, p);
	if (is_indented_by_tab(text, len, p->problem_mark.line))
		return err_new(EINVAL, "%s:%zu:%zu: a tab in the indentation, where YAML allows only spaces",
			       name, line, column);
	if (p->context && *p->context)
		return err_new(EINVAL, "%s:%zu:%zu: %s, %s of line %zu", name, line, column, p->problem,
			       p->context, p->context_mark.line + 1);
	return err_new(EINVAL, "%s:%zu:%zu: %s", name, line, column, p->problem);
}
