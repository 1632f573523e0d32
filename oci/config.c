/* oci/config.c: config.json as a whole: its table, loading, encoding. */
#include "oci/config.h"

#include <stdarg.h>

#include "base/file.h"
#include "oci/config-internal.h"

/* SemVer 2.0.0: MAJOR.MINOR.PATCH without leading zeros, then -PRERELEASE, then +BUILD. */
static const char *check_version(const void *value)
{
	static const char reason[] = "is not a version such as " OCI_VERSION;
	static const char word[] = "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ-.";
	const char *p = *(const char *const *)value;

	for (int part = 0; part < 3; part++) {
		size_t digits = strspn(p, "0123456789");
		if (digits == 0 || (digits > 1 && *p == '0') || (part < 2 && p[digits] != '.'))
			return reason;
		p += digits + (part < 2);
	}
	for (const char *mark = "-+"; *mark; mark++) {
		if (*p != *mark)
			continue;
		size_t len = strspn(p + 1, word);
		if (len == 0)
			return reason;
		p += 1 + len;
	}
	if (*p)
		return reason;
	return str_starts_with(*(const char *const *)value, "1.")
		       ? NULL
		       : "is not supported; this runtime knows " OCI_VERSION_MIN " to " OCI_VERSION;
}
static const struct type t_version = STRING_CHECKED("version", check_version);
static const struct type opt_process = OPTIONAL(t_oci_process);

/* clang-format off */
static const struct field config_fields[] = {
	FIELD(struct oci_config, "ociVersion",  version,     t_version,    REQUIRED,    NULL),
	/* What asks for a virtual machine must not start beside the host's own processes. */
	KNOWN("vm", UNSUPPORTED),
	FIELD(struct oci_config, "solaris",     foreign.solaris, t_raw,    0,           NULL),
	FIELD(struct oci_config, "windows",     foreign.windows, t_raw,    0,           NULL),
	FIELD(struct oci_config, "zos",         foreign.zos,     t_raw,    0,           NULL),
	FIELD(struct oci_config, "freebsd",     foreign.freebsd, t_raw,    0,           NULL),
	FIELD(struct oci_config, "process",     process,     opt_process,  0,           NULL),
	FIELD(struct oci_config, "root",        root,        opt_oci_root, REQUIRED,    NULL),
	FIELD(struct oci_config, "hostname",    hostname,    t_string,     0,           NULL),
	FIELD(struct oci_config, "domainname",  domainname,  t_string,     0,           NULL),
	FIELD(struct oci_config, "mounts",      mounts,      t_oci_mounts, 0,           NULL),
	FIELD(struct oci_config, "hooks",       hooks,       t_oci_hooks,  OMIT_ZERO,   NULL),
	FIELD(struct oci_config, "annotations", annotations, t_string_map, 0,           NULL),
	FIELD(struct oci_config, "linux",       linux,       t_oci_linux,  OMIT_ZERO,   NULL),
	{0}
};
/* clang-format on */
const struct type t_oci_config = OBJECT("config", struct oci_config, config_fields);

const char *oci_rule_path(char buf[static OCI_PATH_MAX], const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(buf, OCI_PATH_MAX, fmt, ap);
	va_end(ap);
	return buf;
}

/* ---- rules, by name, in the order in which a reader would want to hear of them ---- */

static err *rules_of_process(const void *document, struct decoder *d)
{
	const struct oci_config *c = document;

	return c->process ? oci_rules_process(c->process, "process.", d) : NULL;
}

static err *rules_of_mounts(const void *document, struct decoder *d)
{
	return oci_rules_mounts(document, d);
}

static err *rules_of_linux(const void *document, struct decoder *d)
{
	return oci_rules_linux(document, d);
}

static err *rules_of_annotations(const void *document, struct decoder *d)
{
	const struct oci_config *c = document;

	for (size_t i = 0; i < c->annotations.count; i++)
		if (!*c->annotations.items[i].key)
			return decoder_fail(d, "annotations", "a key must not be empty");
	return NULL;
}

/* Sections for other systems are not ours to read, but a bundle that has nothing else is not for this one. */
static err *rules_of_system(const void *document, struct decoder *d)
{
	const struct oci_config *c = document;
	const struct {
		const char *name;
		const json *section;
	} others[] = {
		{ "solaris", c->foreign.solaris },
		{ "windows", c->foreign.windows },
		{ "zos", c->foreign.zos },
		{ "freebsd", c->foreign.freebsd },
	};

	for (size_t i = 0; i < ARRAY_LEN(others); i++)
		if (others[i].section && c->linux.namespaces.count == 0)
			return decoder_fail(d, others[i].name,
					    "is for another system, and linux.namespaces says nothing for this one");
	return NULL;
}

static const struct rule config_rules[] = {
	{ "system", rules_of_system },
	{ "process", rules_of_process },
	{ "mounts", rules_of_mounts },
	{ "linux", rules_of_linux },
	{ "annotations", rules_of_annotations },
	{ 0 },
};

err *oci_config_decode(struct arena *arena, const char *name, const char *text, size_t len,
		       struct strv *warnings, const struct oci_config **ret)
{
	struct decoder d = { .arena = arena, .name = name, .warnings = warnings };
	struct oci_config *config;

	TRY_ALLOC(arena, config, arena_alloc(arena, sizeof *config));
	TRY(decode_text(&d, &t_oci_config, config_rules, text, len, config));
	/* The decoder marks an absent enum with -1; here 0 is no propagation and easier to make. */
	config->linux.rootfs_propagation = MAX(config->linux.rootfs_propagation, 0);
	*ret = config;
	return NULL;
}

err *oci_config_load(int dir_fd, const char *path, struct arena *arena, struct strv *warnings,
		     const struct oci_config **ret)
{
	char *text;
	size_t len;

	TRY(file_read_text(arena, dir_fd, path, JSON_SIZE_MAX, &text, &len));
	return oci_config_decode(arena, path, text, len, warnings, ret);
}

static err *needs_args(const struct oci_process *process, const char *path)
{
	if (process->args.count == 0 || !*process->args.items[0])
		return err_new(EINVAL, "%s: must name a program to start", path);
	return NULL;
}

err *oci_config_check_start(const struct oci_config *config)
{
	if (!config->process)
		return err_new(EINVAL, "process: required but missing");
	return needs_args(config->process, "process.args");
}

static err *rules_of_own_process(const void *document, struct decoder *d)
{
	TRY(oci_rules_process(document, "", d));
	return err_wrap(needs_args(document, "args"), "%s", d->name);
}

err *oci_process_decode(struct arena *arena, const char *name, const char *text, size_t len,
			struct strv *warnings, const struct oci_process **ret)
{
	static const struct rule rules[] = { { "process", rules_of_own_process }, { 0 } };
	struct decoder d = { .arena = arena, .name = name, .warnings = warnings };
	struct oci_process *process;

	TRY_ALLOC(arena, process, arena_alloc(arena, sizeof *process));
	TRY(decode_text(&d, &t_oci_process, rules, text, len, process));
	*ret = process;
	return NULL;
}

static err *rules_of_own_resources(const void *document, struct decoder *d)
{
	return oci_rules_resources(document, "", d);
}

err *oci_resources_decode(struct arena *arena, const char *name, const char *text, size_t len,
			  struct strv *warnings, const struct oci_resources **ret)
{
	static const struct rule rules[] = { { "resources", rules_of_own_resources }, { 0 } };
	struct decoder d = { .arena = arena, .name = name, .warnings = warnings };
	struct oci_resources *resources;

	TRY_ALLOC(arena, resources, arena_alloc(arena, sizeof *resources));
	TRY(decode_text(&d, &t_oci_resources, rules, text, len, resources));
	*ret = resources;
	return NULL;
}

/* clang-format off */
static const struct field mounts_document_fields[] = {
	FIELD(struct oci_config, "mounts", mounts, t_oci_mounts, REQUIRED, NULL),
	{0}
};
static const struct type t_mounts_document = OBJECT("document of mounts", struct oci_config, mounts_document_fields);
/* clang-format on */

err *oci_mounts_decode(struct arena *arena, const char *name, const char *text, size_t len,
		       struct strv *warnings, const struct oci_config **ret)
{
	static const struct rule rules[] = { { "mounts", rules_of_mounts }, { 0 } };
	struct decoder d = { .arena = arena, .name = name, .warnings = warnings };
	struct json_member member = { "mounts", NULL };
	json object = { .kind = JSON_OBJECT, .line = 1, .column = 1, .object = { &member, 1 } };
	struct oci_config *config;
	json *tree = NULL;

	TRY_ALLOC(arena, config, arena_alloc(arena, sizeof *config));
	TRY(json_parse(arena, name, text, len, &tree));
	member.value = tree;
	TRY(decode_tree(&d, &t_mounts_document, rules, tree->kind == JSON_ARRAY ? &object : tree, config));
	*ret = config;
	return NULL;
}

void oci_config_encode(struct str *out, const struct oci_config *config, unsigned indent)
{
	encode_text(out, &t_oci_config, config, indent);
}

void oci_process_encode(struct str *out, const struct oci_process *process, unsigned indent)
{
	encode_text(out, &t_oci_process, process, indent);
}
