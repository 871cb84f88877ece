"""What a reading means: pure, with a good and a bad reading of each in the tests."""
