"""What can be built: immutable, validated architectures and the plans of their layers."""
