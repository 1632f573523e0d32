/* api/pod-internal.h: what the files of Pods share. */
#pragma once
#include "api/pod.h"

extern const struct type t_pod_path, opt_pod_id, t_pod_ids, opt_pod_seccomp; /* api/pod-container.c */
extern const struct type t_pod_container, t_pod_containers;
