/* runtime/annotations.h: the annotations of config.json that mean something to a runtime: one table. */
#pragma once
#include "base/decode.h"
#include "base/err.h"

enum annotation_kind {
	ANNOTATION_EFFECT,  /* changes what the runtime does; `features` warns of it */
	ANNOTATION_REFUSED, /* not supported, and starting without it would not be what was asked for */
	ANNOTATION_IGNORED, /* not supported, and nobody is worse off */
};
struct annotation {
	const char *name; /* ending in "." : every name that begins so */
	enum annotation_kind kind;
	const char *text; /* what it does, or why it does nothing; for people and for the error */
};
/* Ended by a NULL name. */
extern const struct annotation annotations[];

/* ENOTSUP for the first that is refused: "annotations.NAME: WHY". */
err *annotations_check(const struct string_map *map) MUST_CHECK;

#define ANNOTATION_CRIU_CONFIG    "org.criu.config"
#define ANNOTATION_KEEP_GROUPS    "run.oci.keep_original_groups"
#define ANNOTATION_FAIL_UNKNOWN   "run.oci.seccomp_fail_unknown_syscall"
#define ANNOTATION_HOOKS_STDOUT   "run.oci.hooks.stdout"
#define ANNOTATION_HOOKS_STDERR   "run.oci.hooks.stderr"
#define ANNOTATION_DELEGATE       "run.oci.delegate-cgroup"
#define ANNOTATION_SUBGROUP	  "run.oci.systemd.subgroup"
#define ANNOTATION_PIDFD_RECEIVER "run.oci.pidfd_receiver"
#define ANNOTATION_MOUNT_CONTEXT  "run.oci.mount_context_type"
