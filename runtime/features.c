/* runtime/features.c: what engines ask for before they rely on it. */
#include "runtime/features.h"

#include <linux/seccomp.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/cli.h"
#include "oci/config.h"
#include "oci/features.h"
#include "oci/landlock.h"
#include "runtime/annotations.h"
#include "runtime/mount-options.h"

static err *keys_of(struct arena *arena, const struct type *object, struct strings *ret)
{
	size_t count = 0;

	while (object->fields[count].key)
		count++;
	TRY_ALLOC(arena, ret->items, arena_array(arena, count, sizeof *ret->items));
	for (; ret->count < count; ret->count++)
		ret->items[ret->count] = object->fields[ret->count].key;
	return NULL;
}

/* Annotations that change what the runtime does, so that a caller who passes on those of strangers knows
 * which to hold back. */
static err *unsafe_annotations(struct arena *arena, struct strings *ret)
{
	size_t count = 0;

	while (annotations[count].name)
		count++;
	TRY_ALLOC(arena, ret->items, arena_array(arena, count, sizeof *ret->items));
	for (const struct annotation *a = annotations; a->name; a++)
		if (a->kind == ANNOTATION_EFFECT)
			ret->items[ret->count++] = a->name;
	return NULL;
}

static err *mount_option_words(struct arena *arena, struct strings *ret)
{
	size_t count = 0;

	while (mount_options[count].name)
		count++;
	TRY_ALLOC(arena, ret->items, arena_array(arena, count, sizeof *ret->items));
	for (; ret->count < count; ret->count++)
		ret->items[ret->count] = mount_options[ret->count].name;
	return NULL;
}

/* The kernel knows a flag if it goes on to read the filter, which is not there (EFAULT). It takes
 * WAIT_KILLABLE_RECV only beside NEW_LISTENER. */
static bool kernel_has_flag(unsigned flag)
{
	unsigned flags = flag;

#ifdef SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV
	if (flag == SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV)
		flags |= SECCOMP_FILTER_FLAG_NEW_LISTENER;
#endif
	return syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, flags, NULL) < 0 && errno == EFAULT;
}

static err *seccomp_features(struct arena *arena, struct oci_features_seccomp *s)
{
	s->enabled = true;
	TRY(oci_enum_strings(arena, oci_seccomp_action_names, &s->actions));
	TRY(oci_enum_strings(arena, oci_seccomp_op_names, &s->operators));
	TRY(oci_enum_strings(arena, oci_seccomp_arch_names, &s->archs));
	TRY(oci_enum_strings(arena, oci_seccomp_flag_names, &s->known_flags));
	TRY_ALLOC(arena, s->supported_flags.items, arena_array(arena, s->known_flags.count, sizeof(char *)));
	for (const struct enum_name *n = oci_seccomp_flag_names; n->name; n++)
		if (kernel_has_flag((unsigned)n->value))
			s->supported_flags.items[s->supported_flags.count++] = n->name;
	return NULL;
}

static err *linux_features(struct arena *arena, struct oci_features_linux *l)
{
	TRY(oci_enum_strings(arena, oci_namespace_names, &l->namespaces));
	TRY(oci_enum_strings(arena, oci_capability_names, &l->capabilities));
	TRY(seccomp_features(arena, &l->seccomp));
	TRY(oci_enum_strings(arena, oci_memory_mode_names, &l->memory_policy.modes));
	TRY(oci_enum_strings(arena, oci_memory_flag_names, &l->memory_policy.flags));
	l->cgroup = (struct oci_features_cgroup){
		.v2 = true,
		.systemd = true,
		.systemd_user = true,
		.rdma = true,
	};
	l->apparmor.enabled = true;
	l->selinux.enabled = true;
	l->mount_extensions.idmap.enabled = true;
	l->net_devices.enabled = true;
	l->intel_rdt.enabled = l->intel_rdt.schemata = l->intel_rdt.monitoring = true;
	return NULL;
}

err *features_write(struct str *out)
{
	auto_arena struct arena *arena = NULL;
	struct string_pair notes[] = {
		/* Under runc's name, as crun prints it too: callers ask for this one before a checkpoint. */
		{ "org.opencontainers.runc.checkpoint.enabled", "true" },
		{ "stube.version", stube_version },
		{ OCI_LANDLOCK_ANNOTATION, "1" }, /* version of its document: docs/landlock.md */
	};
	struct oci_features f = {
		.version_min = OCI_VERSION_MIN,
		.version_max = OCI_VERSION,
		.annotations = { notes, ARRAY_LEN(notes) },
	};

	TRY(arena_new(1 << 20, &arena));
	TRY(keys_of(arena, &t_oci_hooks, &f.hooks));
	TRY(mount_option_words(arena, &f.mount_options));
	TRY(unsafe_annotations(arena, &f.unsafe_annotations));
	TRY(linux_features(arena, &f.linux));
	oci_features_encode(out, &f, 2);
	str_add_char(out, '\n');
	return str_check(out);
}
