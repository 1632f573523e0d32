/* oci/landlock.c: the document in the annotation org.stube.landlock. */
#include "oci/landlock.h"

#include "oci/config-internal.h"

/* The kernel's bits (linux/landlock.h); Debian 12's header ends at version 2 of the interface. */
/* clang-format off */
const struct enum_name oci_landlock_fs_names[] = {
	{ "execute",     1 << 0 },  { "write_file", 1 << 1 },  { "read_file",   1 << 2 },
	{ "read_dir",    1 << 3 },  { "remove_dir", 1 << 4 },  { "remove_file", 1 << 5 },
	{ "make_char",   1 << 6 },  { "make_dir",   1 << 7 },  { "make_reg",    1 << 8 },
	{ "make_sock",   1 << 9 },  { "make_fifo",  1 << 10 }, { "make_block",  1 << 11 },
	{ "make_sym",    1 << 12 }, { "refer",      1 << 13 }, { "truncate",    1 << 14 },
	{ "ioctl_dev",   1 << 15 }, { NULL, 0 }
};
const struct enum_name oci_landlock_net_names[] = {
	{ "bind_tcp", 1 << 0 }, { "connect_tcp", 1 << 1 }, { NULL, 0 }
};
const struct enum_name oci_landlock_scope_names[] = {
	{ "abstract_unix_socket", 1 << 0 }, { "signal", 1 << 1 }, { NULL, 0 }
};

static const struct {
	const struct enum_name *names;
	int bit, abi;
} newer[] = {
	{ oci_landlock_fs_names,    1 << 13, 2 },
	{ oci_landlock_fs_names,    1 << 14, 3 },
	{ oci_landlock_net_names,   1 << 0,  4 },
	{ oci_landlock_net_names,   1 << 1,  4 },
	{ oci_landlock_fs_names,    1 << 15, 5 },
	{ oci_landlock_scope_names, 1 << 0,  6 },
	{ oci_landlock_scope_names, 1 << 1,  6 },
};
/* clang-format on */

int oci_landlock_abi(const struct enum_name *names, int bit)
{
	for (size_t i = 0; i < ARRAY_LEN(newer); i++)
		if (newer[i].names == names && newer[i].bit == bit)
			return newer[i].abi;
	return 1;
}

static const struct type t_fs = ENUM("file system right", oci_landlock_fs_names);
static const struct type t_fs_list = ARRAY_OF(t_fs);
static const struct type t_net = ENUM("network right", oci_landlock_net_names);
static const struct type t_net_list = ARRAY_OF(t_net);
static const struct type t_scope = ENUM("scope", oci_landlock_scope_names);
static const struct type t_scope_list = ARRAY_OF(t_scope);
static const struct type t_paths = ARRAY_OF(t_abs_path);
static const struct type t_ports = ARRAY_OF(t_u16);

/* clang-format off */
static const struct field ruleset_fields[] = {
	FIELD(struct oci_landlock_ruleset, "handledAccessFS",      fs,     t_fs_list,    0, NULL),
	FIELD(struct oci_landlock_ruleset, "handledAccessNetwork", net,    t_net_list,   0, NULL),
	FIELD(struct oci_landlock_ruleset, "scoped",               scoped, t_scope_list, 0, NULL),
	{0}
};
static const struct type t_ruleset = OBJECT_STRICT("ruleset", struct oci_landlock_ruleset, ruleset_fields);

static const struct field path_fields[] = {
	FIELD(struct oci_landlock_paths, "allowedAccess", access, t_fs_list, REQUIRED, NULL),
	FIELD(struct oci_landlock_paths, "paths",         paths,  t_paths,   REQUIRED, NULL),
	{0}
};
static const struct type t_path_rule = OBJECT_STRICT("path rule", struct oci_landlock_paths, path_fields);
static const struct type t_path_rules = ARRAY_OF(t_path_rule);

static const struct field port_fields[] = {
	FIELD(struct oci_landlock_ports, "allowedAccess", access, t_net_list, REQUIRED, NULL),
	FIELD(struct oci_landlock_ports, "ports",         ports,  t_ports,    REQUIRED, NULL),
	{0}
};
static const struct type t_port_rule = OBJECT_STRICT("port rule", struct oci_landlock_ports, port_fields);
static const struct type t_port_rules = ARRAY_OF(t_port_rule);

static const struct field rules_fields[] = {
	FIELD(struct oci_landlock_rules, "pathBeneath", paths, t_path_rules, 0, NULL),
	FIELD(struct oci_landlock_rules, "networkPort", ports, t_port_rules, 0, NULL),
	{0}
};
static const struct type t_rules = OBJECT_STRICT("rules", struct oci_landlock_rules, rules_fields);

static const struct field landlock_fields[] = {
	FIELD(struct oci_landlock, "ruleset",    ruleset,     t_ruleset, REQUIRED,  NULL),
	FIELD(struct oci_landlock, "rules",      rules,       t_rules,   OMIT_ZERO, NULL),
	FIELD(struct oci_landlock, "bestEffort", best_effort, t_bool,    OMIT_ZERO, NULL),
	{0}
};
/* clang-format on */
const struct type t_oci_landlock = OBJECT_STRICT("landlock", struct oci_landlock, landlock_fields);

uint64_t oci_landlock_mask(const struct oci_ints *list)
{
	uint64_t mask = 0;

	for (size_t i = 0; i < list->count; i++)
		mask |= (uint64_t)list->items[i];
	return mask;
}

/* ---- rules ---- */

static err *rule_access(const struct enum_name *names, const struct oci_ints *access, uint64_t handled,
			const char *list, size_t i, struct decoder *d)
{
	char path[OCI_PATH_MAX];

	if (access->count == 0)
		return decoder_fail(d, oci_rule_path(path, "rules.%s[%zu].allowedAccess", list, i),
				    "must not be empty");
	for (size_t k = 0; k < access->count; k++)
		if (!((uint64_t)access->items[k] & handled))
			return decoder_fail(d,
					    oci_rule_path(path, "rules.%s[%zu].allowedAccess[%zu]", list, i,
							  k),
					    "'%s' is not handled by the ruleset, so it is allowed anyway",
					    enum_name(names, access->items[k]));
	return NULL;
}

static err *rules_of_document(const void *document, struct decoder *d)
{
	const struct oci_landlock *l = document;
	uint64_t fs = oci_landlock_mask(&l->ruleset.fs), net = oci_landlock_mask(&l->ruleset.net);

	if (!fs && !net && !oci_landlock_mask(&l->ruleset.scoped))
		return decoder_fail(d, "ruleset", "must handle something");
	for (size_t i = 0; i < l->rules.paths.count; i++)
		TRY(rule_access(oci_landlock_fs_names, &l->rules.paths.items[i].access, fs, "pathBeneath", i,
				d));
	for (size_t i = 0; i < l->rules.ports.count; i++)
		TRY(rule_access(oci_landlock_net_names, &l->rules.ports.items[i].access, net, "networkPort",
				i, d));
	return NULL;
}

err *oci_landlock_decode(struct arena *arena, const char *name, const char *text, size_t len,
			 const struct oci_landlock **ret)
{
	static const struct rule rules[] = { { "landlock", rules_of_document }, { 0 } };
	struct decoder d = { .arena = arena, .name = name };
	struct oci_landlock *l;

	TRY_ALLOC(arena, l, arena_alloc(arena, sizeof *l));
	TRY(decode_text(&d, &t_oci_landlock, rules, text, len, l));
	*ret = l;
	return NULL;
}
