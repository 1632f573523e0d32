/* runtime/annotations.c: the annotations of config.json that mean something to a runtime. */
#include "runtime/annotations.h"

#include "oci/landlock.h"
#include "runtime/unit.h"

/* Names of crun's, which its callers set whatever the runtime is, and our own. */
/* clang-format off */
const struct annotation annotations[] = {
	{ OCI_LANDLOCK_ANNOTATION,       ANNOTATION_EFFECT,  "restricts the container by Landlock (docs/landlock.md)" },
	{ ANNOTATION_CRIU_CONFIG,        ANNOTATION_EFFECT,  "a file with options of CRIU for checkpoint and restore; empty: none" },
	{ ANNOTATION_KEEP_GROUPS,        ANNOTATION_EFFECT,  "\"1\": the process keeps the caller's supplementary groups" },
	{ ANNOTATION_FAIL_UNKNOWN,       ANNOTATION_EFFECT,  "\"1\": a system call of the profile that is not known is an error, not a warning" },
	{ OCI_SECCOMP_RECEIVER,          ANNOTATION_EFFECT,  "the socket that gets the seccomp listener where linux.seccomp.listenerPath is not given" },
	{ ANNOTATION_HOOKS_STDOUT,       ANNOTATION_EFFECT,  "a file to which the standard output of every hook is appended" },
	{ ANNOTATION_HOOKS_STDERR,       ANNOTATION_EFFECT,  "a file to which the standard error of every hook is appended" },
	{ ANNOTATION_DELEGATE,           ANNOTATION_EFFECT,  "a cgroup of this name below the container's holds its processes, and is its root's to manage" },
	{ ANNOTATION_SUBGROUP,           ANNOTATION_EFFECT,  "systemd's manager: a cgroup of this name below the scope holds the container's processes; without it, or empty, the scope itself" },
	{ ANNOTATION_SYSTEMD_PROPERTY,   ANNOTATION_EFFECT,  "systemd's manager: a property of the scope, its value in GVariant's text form" },
	{ ANNOTATION_MOUNT_CONTEXT,      ANNOTATION_EFFECT,  "context, fscontext, defcontext or rootcontext: how linux.mountLabel is given to file systems" },
	{ ANNOTATION_PIDFD_RECEIVER,     ANNOTATION_EFFECT,  "the socket that gets a pidfd of the container, as --pidfd-socket" },
	{ "run.oci.handler",             ANNOTATION_REFUSED, "this runtime starts plain containers only: no virtual machine, no WebAssembly" },
	{ "run.oci.seccomp_bpf_data",    ANNOTATION_REFUSED, "a filter in bytes cannot be checked; use linux.seccomp" },
	{ "run.oci.seccomp.plugins",     ANNOTATION_REFUSED, "no code is loaded into the runtime; use linux.seccomp.listenerPath" },
	{ "run.oci.systemd.force_cgroup_v1", ANNOTATION_REFUSED, "there is cgroup v2 only" },
	{ "module.wasm.",                ANNOTATION_IGNORED, "a WebAssembly module is no program here: its start fails with \"exec format error\"" },
	{ "krun.",                       ANNOTATION_IGNORED, "settings of a virtual machine, which run.oci.handler would ask for" },
	{ NULL, 0, NULL },
};
/* clang-format on */

static const struct annotation *find(const char *key)
{
	for (const struct annotation *a = annotations; a->name; a++) {
		size_t len = strlen(a->name);
		if (a->name[len - 1] == '.' ? strncmp(key, a->name, len) == 0 : strcmp(key, a->name) == 0)
			return a;
	}
	return NULL;
}

err *annotations_check(const struct string_map *map)
{
	for (size_t i = 0; i < map->count; i++) {
		const struct annotation *a = find(map->items[i].key);

		if (a && a->kind == ANNOTATION_REFUSED)
			return err_new(ENOTSUP, "annotations.%s: %s", a->name, a->text);
	}
	return NULL;
}
