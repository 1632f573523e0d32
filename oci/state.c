/* oci/state.c: the state documents of a container. */
#include "oci/state.h"

const struct enum_name oci_status_names[] = {
	{ "creating", OCI_CREATING },
	{ "created", OCI_CREATED },
	{ "running", OCI_RUNNING },
	{ "stopped", OCI_STOPPED },
	{ NULL, 0 },
};

static const struct type t_status = ENUM("status", oci_status_names);
static const struct type t_pid = INT_RANGE("process id", int32_t, 0, INT32_MAX);

/* clang-format off */
static const struct field state_fields[] = {
	FIELD(struct oci_state, "ociVersion",  version,     t_nonempty,   REQUIRED, NULL),
	FIELD(struct oci_state, "id",          id,          t_nonempty,   REQUIRED, NULL),
	FIELD(struct oci_state, "status",      status,      t_status,     REQUIRED, NULL),
	FIELD(struct oci_state, "pid",         pid,         t_pid,        0,        NULL),
	FIELD(struct oci_state, "bundle",      bundle,      t_abs_path,   REQUIRED, NULL),
	FIELD(struct oci_state, "annotations", annotations, t_string_map, 0,        NULL),
	{0}
};

static const struct field process_state_fields[] = {
	FIELD(struct oci_process_state, "ociVersion", version,  t_nonempty,  REQUIRED, NULL),
	FIELD(struct oci_process_state, "fds",        fds,      t_strings,   0,        NULL),
	FIELD(struct oci_process_state, "pid",        pid,      t_pid,       REQUIRED, NULL),
	FIELD(struct oci_process_state, "metadata",   metadata, t_string,    0,        NULL),
	FIELD(struct oci_process_state, "state",      state,    t_oci_state, REQUIRED, NULL),
	{0}
};
/* clang-format on */
const struct type t_oci_state = OBJECT("state", struct oci_state, state_fields);
const struct type t_oci_process_state =
	OBJECT("container process state", struct oci_process_state, process_state_fields);

void oci_state_encode(struct str *out, const struct oci_state *state, unsigned indent)
{
	encode_text(out, &t_oci_state, state, indent);
}

err *oci_state_decode(struct arena *arena, const char *name, const char *text, size_t len,
		      const struct oci_state **ret)
{
	struct decoder d = { .arena = arena, .name = name };
	struct oci_state *state;

	TRY_ALLOC(arena, state, arena_alloc(arena, sizeof *state));
	TRY(decode_text(&d, &t_oci_state, NULL, text, len, state));
	*ret = state;
	return NULL;
}

void oci_process_state_encode(struct str *out, const struct oci_process_state *state)
{
	encode_text(out, &t_oci_process_state, state, 0);
}
