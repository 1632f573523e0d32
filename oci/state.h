/* oci/state.h: the state of a container, as hooks, `state` and seccomp agents read it.
 * Spec: runtime-spec runtime.md, "State"; config-linux.md, "The Container Process State". */
#pragma once
#include "base/decode.h"
#include "base/err.h"
#include "base/str.h"

enum oci_status { OCI_CREATING, OCI_CREATED, OCI_RUNNING, OCI_STOPPED };
extern const struct enum_name oci_status_names[];

struct oci_state {
	const char *version; /* ociVersion */
	const char *id;
	int status;          /* enum oci_status */
	int32_t pid;         /* in the reader's pid namespace; 0 when stopped */
	const char *bundle;  /* absolute */
	struct string_map annotations;
};
extern const struct type t_oci_state;

/* indent: spaces a level, 0 for one line. */
void oci_state_encode(struct str *out, const struct oci_state *state, unsigned indent);
err *oci_state_decode(struct arena *arena, const char *name, const char *text, size_t len,
		      const struct oci_state **ret) MUST_CHECK;

/* What a seccomp agent is sent with the listener's descriptor. */
struct oci_process_state {
	const char *version;
	struct strings fds;   /* names of the descriptors sent, such as "seccompFd" */
	int32_t pid;
	const char *metadata; /* listenerMetadata of config.json, or NULL */
	struct oci_state state;
};
extern const struct type t_oci_process_state;

void oci_process_state_encode(struct str *out, const struct oci_process_state *state);
