/* cmd/stube-runtime/options.h: rows that the option tables of several commands share.
 *
 * Each is used between `#define OPT_STRUCT` and `#undef OPT_STRUCT`; `at` is the way from that struct to its
 * struct start_args: nothing, or `start.`. */
#pragma once
#include "base/cli.h"

/* clang-format off */
/* Where a container comes from, and who hears of it: create, run, restore. */
#define BUNDLE_OPTIONS(at) \
	OPT('b', "bundle",         CLI_STRING, at bundle,         "DIR",  "directory with config.json (default: the current one)"), \
	OPT('f', "config",         CLI_STRING, at config,         "FILE", "another name for config.json"), \
	OPT(0,   "console-socket", CLI_STRING, at console_socket, "PATH", "Unix socket that receives the terminal"), \
	OPT(0,   "pid-file",       CLI_STRING, at pid_file,       "FILE", "write the process id of the container there"),

/* How its first process is made: create, run. */
#define PROCESS_OPTIONS(at) \
	OPT(0,   "pidfd-socket",   CLI_STRING, at pidfd_socket,   "PATH", "Unix socket that receives a pidfd of the container"), \
	OPT(0,   "preserve-fds",   CLI_UINT,   at preserve_fds,   "N",    "pass on N descriptors from 3 on"), \
	OPT(0,   "no-pivot",       CLI_FLAG,   at no_pivot,       NULL,   "do not use pivot_root (the host runs from an initramfs)"), \
	OPT(0,   "no-new-keyring", CLI_FLAG,   at no_new_keyring, NULL,   "keep the caller's session keyring"),

/* What CRIU is told alike when it writes and when it reads: checkpoint, restore; in the member `criu`. */
#define CRIU_OPTIONS() \
	OPT(0, "ext-unix-sk",         CLI_FLAG,   criu.ext_unix_sk,    NULL,      "allow Unix sockets whose other end is outside"), \
	OPT(0, "shell-job",           CLI_FLAG,   criu.shell_job,      NULL,      "allow a terminal or session of the caller"), \
	OPT(0, "manage-cgroups-mode", CLI_STRING, criu.manage_cgroups, "MODE",    "what CRIU keeps or restores of cgroups: soft (default), full, strict, ignore"), \
	OPT(0, "network-lock",        CLI_STRING, criu.network_lock,   "METHOD",  "how connections are held meanwhile: iptables, nftables, skip"), \
	OPT(0, "empty-ns",            CLI_LIST,   criu.empty_ns,       "network", "accepted; the network's configuration is the engine's or the hooks'"),
/* clang-format on */
