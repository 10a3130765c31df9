"""`python -m docs.generate`, which is `make docs`: writes every page that is made from code."""

from __future__ import annotations

from docs.generate import all_pages, write_all


def main() -> None:
    changed = write_all()
    for name in changed:
        print(f"docs/{name} written")
    print(f"{len(all_pages())} generated files, {len(changed)} changed")


if __name__ == "__main__":
    main()
