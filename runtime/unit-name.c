/* runtime/unit-name.c: from linux.cgroupsPath to the names of a scope and its slice.
 * Ref: systemd.unit(5) for what a name may have, systemd-escape(1) for what stands for the rest. */
#include "runtime/unit.h"

static const char plain[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789:-_.\\@";

/* What a name cannot have as "\x2b"; a leading dot too, which would hide a directory. */
static void add_escaped(struct str *out, const char *text)
{
	for (const char *c = text; *c; c++) {
		if (strchr(plain, *c) && !(out->len == 0 && *c == '.'))
			str_add_char(out, *c);
		else
			str_addf(out, "\\x%02x", (unsigned char)*c);
	}
}

static bool ends_with(const char *text, const char *end)
{
	size_t len = strlen(text), end_len = strlen(end);

	return len > end_len && str_equal(text + len - end_len, end);
}

/* "a-b.slice" lies in "a.slice": systemd makes those above. So no dash may have nothing beside it. */
static err *check_slice(const char *slice)
{
	const char *end = slice + strlen(slice) - strlen(".slice");
	bool good = ends_with(slice, ".slice") && strlen(slice) <= UNIT_NAME_MAX &&
		    strspn(slice, plain) == strlen(slice) && !strstr(slice, "--") && slice[0] != '-' &&
		    slice[0] != '.' && end[-1] != '-';

	if (good || str_equal(slice, "-.slice"))
		return NULL;
	return err_new(EINVAL, "linux.cgroupsPath: '%s' is no name of a slice", slice);
}

static err *finish_name(struct arena *arena, const char *prefix, const char *name, const char **ret)
{
	auto_str struct str out = STR_INIT(4096);

	if (!*name)
		return err_new(EINVAL, "linux.cgroupsPath: no name behind the last colon");
	if (ends_with(name, ".slice"))
		return err_hint(err_new(EINVAL,
					"linux.cgroupsPath: '%s' is a slice, which holds no "
					"processes",
					name),
				"A container gets a scope: slice:prefix:name.");
	add_escaped(&out, prefix);
	if (*prefix)
		str_add_char(&out, '-');
	add_escaped(&out, name);
	if (!ends_with(name, ".scope"))
		str_add(&out, ".scope");
	TRY(str_check(&out));
	if (out.len > UNIT_NAME_MAX)
		return err_new(ENAMETOOLONG, "linux.cgroupsPath: the unit's name '%s' has more than %d bytes",
			       out.data, UNIT_NAME_MAX);
	TRY_ALLOC(arena, *ret, arena_strdup(arena, out.data));
	return NULL;
}

err *unit_parse_path(struct arena *arena, const char *path, const char *id, bool user, const char **ret_slice,
		     const char **ret_name)
{
	const char *slice = user ? "user.slice" : "system.slice";
	const char *colon = path ? strchr(path, ':') : NULL;
	const char *second = colon ? strchr(colon + 1, ':') : NULL;
	char *prefix;

	if (path && strchr(path, '/'))
		return err_hint(err_new(EINVAL,
					"linux.cgroupsPath: '%s' is a path, but the systemd cgroup "
					"manager is in use",
					path),
				"It takes slice:prefix:name, such as system.slice:stube:web.");
	if (!path || !*path)
		TRY(finish_name(arena, "stube", id, ret_name));
	else if (!colon)
		TRY(finish_name(arena, "", path, ret_name));
	else if (!second || strchr(second + 1, ':'))
		return err_new(EINVAL, "linux.cgroupsPath: '%s' is not of the form slice:prefix:name", path);
	if (second) {
		TRY_ALLOC(arena, prefix, arena_strndup(arena, colon + 1, (size_t)(second - colon - 1)));
		TRY(finish_name(arena, prefix, second + 1, ret_name));
		if (colon != path)
			TRY_ALLOC(arena, slice, arena_strndup(arena, path, (size_t)(colon - path)));
	}
	*ret_slice = slice;
	return check_slice(slice);
}
