/* cmd/stube/commands.h: the commands, one file each; main.c lists them in the order of --help. */
#pragma once
#include "base/cli.h"

/* Options before the command. */
struct stube_globals {
	const char *store;  /* folder of the image store; NULL: the default */
	const char *log;    /* file, or NULL for stderr */
	const char *log_format;
	bool debug;
};

extern const struct cli_command cmd_exec;
extern const struct cli_command cmd_info;
extern const struct cli_command cmd_inspect;
extern const struct cli_command cmd_logs;
extern const struct cli_command cmd_ps;
extern const struct cli_command cmd_rm;
extern const struct cli_command cmd_run;
extern const struct cli_command cmd_stop;
extern const struct cli_command cmd_version;
extern const struct cli_command cmd_pull, cmd_push, cmd_images, cmd_image, cmd_login, cmd_logout;

/* The cluster. */
extern const struct cli_command cmd_up, cmd_down, cmd_apply, cmd_get, cmd_describe, cmd_delete, cmd_rollout, cmd_scale;
extern const struct cli_command cmd_explain, cmd_plan, cmd_drain, cmd_cordon, cmd_uncordon, cmd_label, cmd_taint, cmd_nodes, cmd_events, cmd_top;
extern const struct cli_command cmd_pki;

/* Below `image`. */
extern const struct cli_command cmd_image_pack;
