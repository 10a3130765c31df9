from tests.services.erd_base import erd_base_dir

__all__ = ["erd_base_dir"]
