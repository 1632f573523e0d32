/* oci/features.h: what a runtime recognises, as engines ask for it before they use it.
 * Spec: runtime-spec features.md, features-linux.md. */
#pragma once
#include <stdbool.h>
#include "base/decode.h"
#include "base/err.h"
#include "base/str.h"
#include "oci/config.h"

struct oci_enabled {
	bool enabled;
};
struct oci_features_cgroup {
	bool v1, v2, systemd, systemd_user, rdma;
};
struct oci_features_seccomp {
	bool enabled;
	struct strings actions, operators, archs, known_flags, supported_flags;
};
struct oci_features_rdt {
	bool enabled, schemata, monitoring;
};
struct oci_features_memory_policy {
	struct strings modes, flags;
};
struct oci_features_mount {
	struct oci_enabled idmap;
};
struct oci_features_linux {
	struct strings namespaces, capabilities;
	struct oci_features_cgroup cgroup;
	struct oci_features_seccomp seccomp;
	struct oci_enabled apparmor, selinux;
	struct oci_features_rdt intel_rdt;
	struct oci_features_memory_policy memory_policy;
	struct oci_features_mount mount_extensions;
	struct oci_enabled net_devices;
};
struct oci_features {
	const char *version_min, *version_max;
	struct strings hooks, mount_options;
	struct oci_features_linux linux;
	struct string_map annotations;
	struct strings unsafe_annotations; /* potentiallyUnsafeConfigAnnotations; ending in "." : a prefix */
};
extern const struct type t_oci_features;

void oci_features_encode(struct str *out, const struct oci_features *features, unsigned indent);
err *oci_features_decode(struct arena *arena, const char *name, const char *text, size_t len,
			 const struct oci_features **ret) MUST_CHECK;

/* The names of a table in its order, as a list in the arena. */
err *oci_enum_strings(struct arena *arena, const struct enum_name *names, struct strings *ret) MUST_CHECK;
