/* scheduler/api-path.c: paths of objects, and the tokens of lists' pages: texts of clients in their parts. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "scheduler/api-internal.h"

enum { PARTS_MAX = 10, TOKEN_MAX = 2000 };

/* "/api/v1/namespaces/default/pods/web/status" into its parts; empty ones are no path of ours. */
static bool split(struct arena *arena, const char *path, const char *parts[static PARTS_MAX],
		  size_t *ret_count)
{
	char *text = path[0] == '/' ? arena_strdup(arena, path + 1) : NULL;

	*ret_count = 0;
	while (text && *text && *ret_count < PARTS_MAX) {
		char *slash = strchr(text, '/');

		if (slash == text)
			return false;
		parts[(*ret_count)++] = text;
		if (!slash)
			return true;
		*slash = '\0';
		text = slash + 1;
	}
	return false;
}

bool path_find(struct call *c, const char *path)
{
	const char *all[PARTS_MAX], **parts = all, *group = "", *version;
	size_t count;

	if (!split(c->arena, path, all, &count))
		return false;
	if (str_equal(parts[0], "apis") && count > 1) {
		group = parts[1];
		parts++;
		count--;
	} else if (!str_equal(parts[0], "api")) {
		return false;
	}
	if (count < 3)
		return false;
	version = parts[1];
	parts += 2;
	count -= 2;
	if (count >= 3 && str_equal(parts[0], "namespaces") && !str_equal(parts[2], "status")) {
		c->namespace = parts[1];
		parts += 2;
		count -= 2;
	}
	c->kind = kind_by_path(group, version, parts[0]);
	c->name = count > 1 ? parts[1] : NULL;
	c->subresource = count > 2 ? parts[2] : NULL;
	if (!c->kind || count > 3 || (c->namespace && !c->kind->namespaced))
		return false;
	/* One object of a namespaced kind has its namespace in the path. */
	return !c->kind->namespaced || c->namespace || !c->name;
}

/* Hexadecimal digits, so that nobody takes it for something to write by hand. Pages show what is there when
 * they are asked for; who then watches from the first page's revision hears what has changed meanwhile
 * (docs/decisions/0067). */
void token_write(const struct place_in_list *place, struct str *out)
{
	char text[TOKEN_MAX / 2];
	int len = snprintf(text, sizeof(text), "%" PRIu64 "/%s/%s", place->revision,
			   place->namespace ? place->namespace : "", place->name);

	for (int i = 0; i < len && i < (int)sizeof(text) - 1; i++)
		str_addf(out, "%02x", (unsigned char)text[i]);
}

static int digit(char c)
{
	static const char digits[] = "0123456789abcdef";
	const char *at = c ? strchr(digits, c) : NULL;

	return at ? (int)(at - digits) : -1;
}

err *token_read(struct arena *arena, const char *token, struct place_in_list *ret)
{
	size_t len = strlen(token);
	char *text, *namespace, *name;
	bool good = len % 2 == 0 && len < TOKEN_MAX;

	TRY_ALLOC(arena, text, arena_alloc(arena, len / 2 + 1));
	for (size_t i = 0; i + 1 < len && good; i += 2) {
		int high = digit(token[i]), low = digit(token[i + 1]);

		good = high >= 0 && low >= 0 && (high || low);
		text[i / 2] = good ? (char)(high << 4 | low) : '\0';
	}
	namespace = strchr(text, '/');
	name = namespace ? strchr(namespace + 1, '/') : NULL;
	if (!good || !name)
		return err_new(EBADMSG, "continue: is not what an earlier page gave");
	*namespace ++ = '\0';
	*name++ = '\0';
	if (!str_to_u64(text, &ret->revision))
		return err_new(EBADMSG, "continue: is not what an earlier page gave");
	ret->namespace = namespace;
	ret->name = name;
	return NULL;
}
