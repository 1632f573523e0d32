/* agent/bundle-internal.h: what the parts of the bundle writer share. */
#pragma once
#include "agent/bundle.h"

/* agent/bundle-process.c */
const char *bundle_host_name(const struct bundle_input *in);
err *bundle_process(struct arena *arena, const struct bundle_input *in, struct bundle_result *ret) MUST_CHECK;

/* agent/bundle-mounts.c */
err *bundle_mounts(struct arena *arena, const struct bundle_input *in, struct oci_config *config) MUST_CHECK;
