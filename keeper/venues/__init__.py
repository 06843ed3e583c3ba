"""VENUES. Law: pure; exact swap maths and calldata, one venue a module; no venue knows another."""
