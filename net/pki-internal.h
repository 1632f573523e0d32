/* net/pki-internal.h: what making and reading certificates share. */
#pragma once
#include <openssl/evp.h>
#include <openssl/x509v3.h>

#include "net/pki.h"

#define PKI_PEM_MAX	  (64 * 1024)
#define PKI_NAME_MAX	  253
#define PKI_GROUPS_MAX	  16
#define PKI_ADDRESSES_MAX 256

DEFINE_CLEANUP(X509 *, X509_free)
DEFINE_CLEANUP(EVP_PKEY *, EVP_PKEY_free)
DEFINE_CLEANUP(BIO *, BIO_free_all)
DEFINE_CLEANUP(GENERAL_NAMES *, GENERAL_NAMES_free)

/* What libcrypto says about its last failure; its queue of errors is empty afterwards. */
err *pki_error(const char *what) MUST_CHECK;

/* The first certificate, the key of a PEM text; yours to free. */
err *pki_load_cert(const char *pem, X509 **ret) MUST_CHECK;
err *pki_load_key(const char *pem, EVP_PKEY **ret) MUST_CHECK;
