"""What is known of a network before any phone sees it: cost, half precision, where its operators stand."""
