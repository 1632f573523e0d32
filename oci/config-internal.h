/* oci/config-internal.h: types and rules that the tables of config.json share among their files. */
#pragma once
#include "oci/config.h"

extern const struct type t_oci_cpu_list;    /* "0-3,7"; config-process.c */
extern const struct type t_oci_id_mappings; /* struct oci_id_mappings; config-root.c */
extern const struct type opt_oci_root, t_oci_mounts; /* config-root.c */
extern const struct type t_oci_linux;                             /* config-linux.c */
extern const struct type opt_oci_seccomp;                         /* config-seccomp.c */

/* Rules between fields. `at` stands before each path: "process." inside config.json, "" where the
 * document is the object itself. */
err *oci_rules_process(const struct oci_process *process, const char *at, struct decoder *d) MUST_CHECK;
err *oci_rules_resources(const struct oci_resources *r, const char *at, struct decoder *d) MUST_CHECK;
err *oci_rules_seccomp(const struct oci_config *config, struct decoder *d) MUST_CHECK;
err *oci_rules_linux(const struct oci_config *config, struct decoder *d) MUST_CHECK;
err *oci_rules_mounts(const struct oci_config *config, struct decoder *d) MUST_CHECK;
/* Ranges that user_namespaces(7) accepts: of 1 or more ids, without overlap on either side. */
err *oci_rules_id_mappings(const struct oci_id_mappings *mappings, const char *path, struct decoder *d)
	MUST_CHECK;

/* dev_valid_name() of the kernel. */
bool oci_is_interface_name(const char *name);

/* Format the path of a rule into `buf` (cut at its end) and return it. */
#define OCI_PATH_MAX 256
const char *oci_rule_path(char buf[static OCI_PATH_MAX], const char *fmt, ...) PRINTF(2, 3);
