#!/usr/bin/env bats
# What our encoders write is valid by the JSON schemas of the specifications (python3-jsonschema is the oracle).

setup_file() {
	cd "$BATS_TEST_DIRNAME/../.." || return
	export DATA=${STUBE_SHARED:-../shared}/data
	export OUT=$BATS_FILE_TMPDIR
	[ -d "$DATA/runtime-spec" ] || return 0
	STUBE_SAMPLES_OUT=$OUT build/release/tests/unit/oci/samples_test > "$OUT/log" 2>&1
	# The golden document of every field; tests/unit/oci/config_test.c holds the encoder to its bytes.
	cp tests/data/oci/full-config.json "$OUT/config-full.json"
	build/bin/stube-runtime features > "$OUT/features-runtime.json"
	build/bin/stube-runtime spec --bundle "$OUT" --config config-spec.json
	build/bin/stube-runtime spec --bundle "$OUT" --config config-spec-rootless.json --rootless
}

setup() {
	[ -d "$DATA/runtime-spec" ] || skip "the specifications' schemas are not at $DATA"
}

# valid SCHEMA DOCUMENT...: each must be valid, and the schema must be able to say no.
valid() {
	/usr/bin/python3 - "$@" <<-'PYTHON'
		import json, os, sys
		from jsonschema import Draft4Validator, RefResolver

		schema_path, documents = os.path.abspath(sys.argv[1]), sys.argv[2:]
		folder = os.path.dirname(schema_path)

		def local(uri):  # image-spec's schemas name each other by URL; nothing is fetched
		    with open(os.path.join(folder, os.path.basename(uri.split("#")[0]))) as f:
		        return json.load(f)

		with open(schema_path) as f:
		    schema = json.load(f)
		base = schema.get("id", "file://" + schema_path)
		resolver = RefResolver(base, schema, handlers={"https": local, "file": local})
		validator = Draft4Validator(schema, resolver=resolver)
		assert list(validator.iter_errors({})) or "layout" in schema_path, "the schema accepts anything"
		failed = False
		for path in documents:
		    with open(path) as f:
		        document = json.load(f)
		    for error in validator.iter_errors(document):
		        failed = True
		        print(f"{path}: {'.'.join(map(str, error.absolute_path))}: {error.message}")
		sys.exit(failed)
	PYTHON
}

@test "every config.json that we write is valid, with all fields there are" {
	[ "$(find "$OUT" -name 'config-*.json' | wc -l)" -ge 7 ]
	valid "$DATA/runtime-spec/config-schema.json" "$OUT"/config-*.json
}

@test "the oracle says no to a wrong document" {
	echo '{"ociVersion":"1.3.0","linux":{"resources":{"pids":{}}}}' > "$OUT/wrong.json"
	run valid "$DATA/runtime-spec/config-schema.json" "$OUT/wrong.json"
	[ "$status" -ne 0 ]
	[[ $output == *"linux.resources.pids: 'limit' is a required property"* ]]
}

@test "every state that we write is valid" {
	valid "$DATA/runtime-spec/state-schema.json" "$OUT"/state-*.json
}

@test "every features document that we write is valid" {
	valid "$DATA/runtime-spec/features-schema.json" "$OUT"/features-*.json
}

@test "image manifest, index, config, layout and descriptor are valid" {
	valid "$DATA/image-spec/image-manifest-schema.json" "$OUT"/manifest-*.json
	valid "$DATA/image-spec/image-index-schema.json" "$OUT"/index-*.json
	valid "$DATA/image-spec/config-schema.json" "$OUT"/image-*.json
	valid "$DATA/image-spec/image-layout-schema.json" "$OUT"/layout-*.json
	valid "$DATA/image-spec/content-descriptor.json" "$OUT"/descriptor-*.json
}

@test "a document that is decoded and written again says the same" {
	run /usr/bin/python3 - "$DATA/runtime-spec/test" "$OUT" <<-'PYTHON'
		import glob, json, os, sys
		samples, out = sys.argv[1:]
		compared = 0
		for path in glob.glob(out + "/*-*.json"):
		    kind, name = os.path.basename(path).split("-", 1)
		    sample = os.path.join(samples, kind, "good", name)
		    if not os.path.exists(sample):
		        continue
		    def drop(value):  # what may be left out: defaults, empty lists, keys without a row
		        if isinstance(value, dict):
		            kept = {k: drop(v) for k, v in value.items()}
		            return {k: v for k, v in kept.items() if v not in ([], {}, False, None)}
		        return [drop(v) for v in value] if isinstance(value, list) else value
		    a, b = (drop(json.load(open(p))) for p in (sample, path))
		    assert a == b, f"{name}\n{a}\n{b}"
		    compared += 1
		print(compared)
		sys.exit(compared < 4)
	PYTHON
	echo "$output"
	[ "$status" -eq 0 ]
}
