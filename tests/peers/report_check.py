"""Checks files against schemas: python report_check.py SCHEMA.xsd FILE.xml SCHEMA.json FILE.json …

Prints "valid FILE" for each file that is; else what is wrong with it, and ends with 1.
"""

import json
import sys

from jsonschema import Draft202012Validator
from lxml import etree


def xml_faults(schema, file):
    schema = etree.XMLSchema(etree.parse(schema))
    schema.validate(etree.parse(file, etree.XMLParser(resolve_entities=False, no_network=True, huge_tree=True)))
    return [f"line {error.line}: {error.message}" for error in schema.error_log]


def json_faults(schema, file):
    with open(schema, encoding="utf-8") as text:
        schema = json.load(text)
    Draft202012Validator.check_schema(schema)
    with open(file, encoding="utf-8") as text:
        report = json.load(text)
    return [f"{error.json_path}: {error.message}" for error in Draft202012Validator(schema).iter_errors(report)]


def main():
    pairs = list(zip(sys.argv[1::2], sys.argv[2::2], strict=True))
    faulty = False
    for schema, file in pairs:
        faults = (xml_faults if schema.endswith(".xsd") else json_faults)(schema, file)
        faulty |= bool(faults)
        print("\n".join(f"{file}: {fault}" for fault in faults) or f"valid {file}")
    sys.exit(1 if faulty else 0)


if __name__ == "__main__":
    main()
